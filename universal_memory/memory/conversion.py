"""A store encrypted, or decrypted, in place.

`encryption.json` says first what is about to happen, so that nobody uses a store that is half of
each; then every file and both databases are converted, each whole or not at all; then it says that
all is done. Whoever is killed in between runs the same again: what is converted already is checked
and left alone. The index is deleted, since it is rebuilt when the store is opened next.

Files are replaced and databases rewritten, but what a disk has held may lie in its free blocks.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Literal

from universal_memory.encryption import (
    NAME_THE_KEY,
    Cipher,
    SealError,
    StoreKeyError,
    database_key,
    is_sealed,
    key_statement,
)
from universal_memory.experience import buffer_resealing
from universal_memory.memory.durable import sync_folder, write_atomic
from universal_memory.memory.errors import StoreError, storage_error
from universal_memory.memory.lock import StoreLock, writing
from universal_memory.memory.protection import (
    FILE_NAME,
    Protection,
    other_key,
    read_protection,
    write_protection,
)
from universal_memory.memory.record import INSERT, SELECT, from_row, to_row

WAIT_SECONDS = 10.0  # for others to close a database

Reseal = Callable[[sqlite3.Connection, Cipher | None, Cipher | None], None]


def encrypt(root: Path, cipher: Cipher) -> int:
    """Encrypt the store at `root`; how many files were sealed now.

    Raises StoreLocked while a compiler or server runs, StoreKeyError if another key, SealError if
    damage is in the way, StoreError if the disk is.
    """
    return _convert(root, cipher, None, cipher)


def decrypt(root: Path, cipher: Cipher) -> int:
    """Decrypt the store at `root`; how many files were opened now. Raises as `encrypt`."""
    return _convert(root, cipher, cipher, None)


def _convert(root: Path, key: Cipher, old: Cipher | None, new: Cipher | None) -> int:
    if not root.is_dir():
        raise StoreError(f"no memory store at {root}; remedy: check --store or UMP_HOME")
    with StoreLock(root, "compiler"), StoreLock(root, "server"), writing(root):
        found = read_protection(root) if (root / FILE_NAME).exists() else None
        if found is not None and found.key_id != key.key_id:
            raise other_key(root, found, key)
        for name in DATABASES:
            _check_key(root / name, key)
        doing: Literal["encrypting", "decrypting"] = "encrypting" if new else "decrypting"
        write_protection(root, Protection(key.key_id, doing))
        _drop_index(root)
        for name, reseal in DATABASES.items():
            _convert_database(root / name, key, new, reseal)
        converted = sum(_convert_file(path, key, new) for path in _files(root))
        write_protection(root, Protection(key.key_id) if new else None)
    return converted


def _files(root: Path) -> Iterator[Path]:
    """All that holds experience beside index and databases; leftovers of killed writers, too."""
    for folder in ("files", "incoming", "quarantine"):
        yield from sorted(path for path in (root / folder).rglob("*") if path.is_file())
    yield from sorted(root.glob("ledger.sqlite.damaged*"))


def _convert_file(path: Path, key: Cipher, new: Cipher | None) -> bool:
    """Seal or open one file; whether there was anything to do."""
    try:
        data = path.read_bytes()
        if path.name.startswith("."):  # of a writer that was killed: it is nobody's
            path.unlink()
            return False
        if is_sealed(data):
            plain = key.open(data)
            if new is None:
                write_atomic(path, plain)
            return new is None
        if new is not None:
            write_atomic(path, new.seal(data))
        return new is not None
    except SealError as error:
        raise SealError(
            f"cannot convert {path}: {error}; remedy: move it away if it is damaged, then go on"
            " with the same command"
        ) from error
    except OSError as error:
        raise storage_error(error, "convert", path) from error


def _check_key(path: Path, key: Cipher) -> None:
    """Refuse a database of another key before anything is changed, if the marker was lost."""
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path)) as database:
            held = database_key(database)
    except sqlite3.Error as error:
        raise _trouble(path, error) from error
    if held not in (0, key.key_number):
        raise StoreKeyError(f"{path} is encrypted with another key, {held:016x}; {NAME_THE_KEY}")


def _convert_database(path: Path, key: Cipher, new: Cipher | None, reseal: Reseal) -> None:
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path, timeout=WAIT_SECONDS, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA secure_delete = ON")
            database.execute("BEGIN IMMEDIATE")
            held = database_key(database)
            if held != (new.key_number if new else 0):
                reseal(database, key if held else None, new)
                database.execute(key_statement(new))
            database.execute("COMMIT")
            database.execute("VACUUM")
            (busy, *_), = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except (sqlite3.Error, SealError) as error:
        raise _trouble(path, error) from error
    if busy:
        raise StoreError(
            f"{path} is being read, its log holds old rows; remedy: close what has it open, then go"
            " on with the same command"
        )


def _reseal_ledger(
    database: sqlite3.Connection, old: Cipher | None, new: Cipher | None
) -> None:
    for row in database.execute(SELECT).fetchall():
        database.execute(INSERT, to_row(from_row(row, old), new))


DATABASES: dict[str, Reseal] = {
    "ledger.sqlite": _reseal_ledger,
    "buffer.sqlite": buffer_resealing.reseal,
}


def _trouble(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"cannot convert {path}: {error}; remedy: free disk space, close what has it open, or move"
        " it away if it is damaged; then go on with the same command"
    )


def _drop_index(root: Path) -> None:
    folder = root / "index"
    try:
        if folder.is_dir():
            for path in folder.iterdir():
                path.unlink()
            sync_folder(folder)
    except OSError as error:
        raise storage_error(error, "remove", folder) from error
