"""The shelf of a store: memory files by content, in 256 folders, with a place for unfinished ones.

files/ab/abcdef....ump   the memories; the only thing that cannot be rebuilt
incoming/                files whose add was not finished; settled when the store is opened
quarantine/              refused files, each with its reason in a .json beside it

In an encrypted store all of these are sealed; only the names, which are the ids, are readable.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from universal_memory.encryption import (
    NAME_THE_KEY,
    OVERHEAD,
    Cipher,
    SealError,
    StoreKeyError,
    is_sealed,
)
from universal_memory.memory.durable import sync_folder, write_atomic, write_file
from universal_memory.memory.errors import MemoryNotFound, storage_error
from universal_memory.memory.file import (
    MAX_FILE_BYTES,
    HashError,
    MalformedError,
    MemoryFile,
    MemoryFileError,
)
from universal_memory.memory.reports import Quarantined

SUFFIX = ".ump"
MAX_QUARANTINED = 256
_ID = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{4,64}")


class Shelf:
    """Files of one store. Writing methods expect the store's write lock and raise StoreError.

    parse: turns bytes into a memory by the store's rules, or raises MemoryFileError.
    cipher: of an encrypted store.
    """

    def __init__(
        self, root: Path, parse: Callable[[bytes], MemoryFile], cipher: Cipher | None = None
    ) -> None:
        self.files = root / "files"
        self.incoming = root / "incoming"
        self.quarantine = root / "quarantine"
        self._parse = parse
        self._cipher = cipher

    def create(self) -> None:
        """Make the folders."""
        for folder in (self.files, self.incoming, self.quarantine):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise storage_error(error, "create", folder) from error

    def path_of(self, memory_id: str) -> Path:
        """Where the file of a memory lies, whether it exists or not. Raises MemoryNotFound."""
        if not _ID.fullmatch(memory_id):
            raise MemoryNotFound(f"{memory_id!r} is not a memory id (64 hex digits)")
        return self.files / memory_id[:2] / f"{memory_id}{SUFFIX}"

    def ids(self) -> list[str]:
        """Ids of all files, sorted."""
        found: list[str] = []
        try:
            for shard in os.scandir(self.files):
                if shard.is_dir():
                    found += [_id_of(file.name) for file in os.scandir(shard)]
        except OSError as error:
            raise storage_error(error, "list", self.files) from error
        return sorted(filter(None, found))

    def version(self) -> int:
        """A number that changes when a file comes or goes, cheap to ask for."""
        try:
            folders = [(entry.name, entry.stat().st_mtime_ns) for entry in os.scandir(self.files)]
        except OSError as error:
            raise storage_error(error, "list", self.files) from error
        return hash(tuple(sorted(folders)))

    def resolve(self, prefix: str) -> str:
        """The one id that starts with `prefix` (4 hex digits or more). Raises MemoryNotFound."""
        if not _PREFIX.fullmatch(prefix):
            raise MemoryNotFound(f"{prefix!r} is not the start of a memory id (4-64 hex digits)")
        folder = self.files / prefix[:2]
        matches = list(filter(None, (_id_of(path.name) for path in folder.glob(f"{prefix}*"))))
        if len(matches) != 1:
            found = f"{len(matches)} memories have" if matches else "no memory has"
            raise MemoryNotFound(f"{found} an id that starts with {prefix} in {self.files.parent}")
        return matches[0]

    def read(self, memory_id: str) -> MemoryFile:
        """Read and check a memory. Raises MemoryNotFound, MemoryFileError or StoreError."""
        path = self.path_of(memory_id)
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES + OVERHEAD + 1)
        except FileNotFoundError as error:
            raise MemoryNotFound(
                f"memory {memory_id} is not in store {self.files.parent}"
            ) from error
        except OSError as error:
            raise storage_error(error, "read", path) from error
        file = self._kept(data, path)
        if file.id != memory_id:
            raise HashError(f"{path} holds memory {file.id}; remedy: run `ump memory reindex`")
        return file

    def receive(self, file: MemoryFile) -> None:
        """Flush a file to `incoming`, and make the folder it will be published to."""
        path = self.path_of(file.id)
        try:
            if not path.parent.is_dir():
                path.parent.mkdir()
                sync_folder(self.files)
            write_file(self.incoming / path.name, self._sealed(file.to_bytes()))
            sync_folder(self.incoming)
        except OSError as error:
            raise storage_error(error, "write", self.incoming / path.name) from error

    def publish(self, memory_id: str) -> None:
        """Move a received file to its place, where readers see it."""
        path = self.path_of(memory_id)
        try:
            path.parent.mkdir(exist_ok=True)
            (self.incoming / path.name).replace(path)
            sync_folder(path.parent)
        except OSError as error:
            raise storage_error(error, "write", path) from error

    def discard(self, name: str) -> None:
        """Remove a received file that will not be published."""
        try:
            (self.incoming / name).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, "remove", self.incoming / name) from error

    def unfinished(self) -> list[tuple[str, str | None]]:
        """Names in `incoming`, each with its id if the file is whole: their writer was killed."""
        found: list[tuple[str, str | None]] = []
        for path in sorted(self.incoming.iterdir()):
            try:
                memory_id = self._kept(path.read_bytes(), path).id
                found.append((path.name, memory_id if _id_of(path.name) == memory_id else None))
            except (MemoryFileError, OSError):
                found.append((path.name, None))
        return found

    def remove(self, memory_id: str) -> None:
        """Delete the file of a memory; harmless if it is not there."""
        path = self.path_of(memory_id)
        try:
            path.unlink(missing_ok=True)
            if path.parent.is_dir():
                sync_folder(path.parent)
        except OSError as error:
            raise storage_error(error, "remove", path) from error

    def quarantine_stored(self, memory_id: str, reason: str) -> None:
        """Move a file that is not sound off the shelf."""
        path = self.path_of(memory_id)
        try:
            path.replace(self.quarantine / path.name)
            note = self._sealed(_note(path.name, reason))
            write_atomic(self.quarantine / f"{memory_id}.json", note)
        except OSError as error:
            raise storage_error(error, "quarantine", path) from error

    def quarantine_offered(self, data: bytes, name: str, reason: str) -> None:
        """Keep a refused import as evidence, bounded in size and number; failing is no error."""
        try:
            full = len(list(self.quarantine.iterdir())) >= 2 * MAX_QUARANTINED
            if full or len(data) > MAX_FILE_BYTES:
                return
            stem = _stem_of(data)
            write_atomic(self.quarantine / f"{stem}{SUFFIX}", self._sealed(data))
            write_atomic(self.quarantine / f"{stem}.json", self._sealed(_note(name, reason)))
        except OSError:
            pass  # the refusal itself is reported; its copy is a convenience

    def release(self, data: bytes) -> None:
        """Drop the copy of a file that was refused once and has been taken in now."""
        stem = _stem_of(data)
        try:
            (self.quarantine / f"{stem}{SUFFIX}").unlink(missing_ok=True)
            (self.quarantine / f"{stem}.json").unlink(missing_ok=True)
        except OSError:
            pass  # as in `quarantine_offered`

    def quarantined(self) -> list[Quarantined]:
        """Files in quarantine with their reasons, by name. Raises StoreError."""
        found = []
        try:
            for note in self.quarantine.glob("*.json"):
                told = json.loads(self.opened(note.read_bytes()))
                path = note.with_suffix(SUFFIX)
                found.append(Quarantined(path, str(told["name"]), str(told["reason"])))
        except OSError as error:
            raise storage_error(error, "list", self.quarantine) from error
        return sorted(found, key=lambda file: (file.name, file.path))

    def empty_quarantine(self) -> int:
        """Delete what lies in quarantine; how many files that were. Raises StoreError."""
        files = list(self.quarantine.glob(f"*{SUFFIX}"))
        try:
            for path in [*files, *self.quarantine.glob("*.json")]:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, "empty", self.quarantine) from error
        return len(files)

    def opened(self, data: bytes) -> bytes:
        """Plain bytes as they are, those that this store sealed opened. Raises MalformedError."""
        if not is_sealed(data):
            return data
        try:
            if self._cipher is not None:
                return self._cipher.open(data)
            reason = "it is sealed, and this store is not encrypted"
        except SealError as error:
            reason = str(error)
        raise MalformedError(
            f"{reason}; remedy: take a sealed file out of its own store with `ump memory export`"
        )

    def _kept(self, data: bytes, path: Path) -> MemoryFile:
        """The memory in a file of the store, which is sealed if and only if the store is."""
        if is_sealed(data) and self._cipher is None:
            raise StoreKeyError(f"{path} is encrypted; {NAME_THE_KEY}")
        if self._cipher is not None and not is_sealed(data):
            raise MalformedError(
                f"{path} is not encrypted, as its store is; remedy: run `ump memory reindex`, and"
                " import it from quarantine if you trust it"
            )
        return self._parse(self.opened(data))

    def _sealed(self, data: bytes) -> bytes:
        return data if self._cipher is None else self._cipher.seal(data)


def _id_of(name: str) -> str:
    stem = name.removesuffix(SUFFIX)
    return stem if stem != name and _ID.fullmatch(stem) else ""


def _note(name: str, reason: str) -> bytes:
    return json.dumps({"name": name, "reason": reason}, indent=1).encode("ascii")


def _stem_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]
