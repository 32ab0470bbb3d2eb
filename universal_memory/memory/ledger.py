"""Where each memory came from: a local SQLite ledger beside the files, never inside them.

The files are the truth; the ledger can be lost and rebuilt (without provenance). WAL mode lets
the server read while the compiler writes. Text is kept only where the site allows it. In an
encrypted store what tells of the experience is sealed, row by row (`record.to_row`).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from universal_memory.encryption import (
    Cipher,
    StoreKeyError,
    check_database_key,
    key_statement,
)
from universal_memory.memory.errors import LedgerError, storage_error
from universal_memory.memory.mark import (
    MARKS,
    Mark,
    all_marks,
    carry_marks,
    delete_marks,
    delete_stale,
    insert_marks,
    later_than,
)
from universal_memory.memory.merged import (
    MERGED,
    Merged,
    all_links,
    confirm_links,
    delete_links,
    insert_links,
)
from universal_memory.memory.record import INSERT, SELECT, Provenance, Record, from_row, to_row
from universal_memory.memory.window import Window

__all__ = ["Ledger", "Provenance", "Record", "put_aside", "salvage"]

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE memories (
    id TEXT PRIMARY KEY,
    counter INTEGER NOT NULL,
    space_id TEXT NOT NULL,
    key_id TEXT NOT NULL,
    compiled_stamp INTEGER NOT NULL,
    start_stamp INTEGER NOT NULL,
    end_stamp INTEGER NOT NULL,
    streams TEXT NOT NULL,
    source TEXT NOT NULL,
    pose TEXT,
    text TEXT,
    imported INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
"""
# Not of the schema: a ledger without it is as good, only slower.
_BY_TIME = "CREATE INDEX IF NOT EXISTS memories_by_time ON memories (end_stamp, start_stamp)"
_IN_TIME = "WHERE end_stamp >= ? AND start_stamp <= ?"
_IDS_IN_TIME = "SELECT id FROM memories WHERE end_stamp >= ? AND start_stamp <= ?"
# Around a ball, for poses that are not sealed. A pose with a number that JSON does not know counts.
_IN_BOX = """
    AND (NOT json_valid(pose) OR (
        json_extract(pose, '$.frame_id') = ?
        AND abs(json_extract(pose, '$.position[0]') - ?) <= ?
        AND abs(json_extract(pose, '$.position[1]') - ?) <= ?
    ))
"""
_EDGE = 1.0 + 1e-12  # of a radius: what rounding may take away
_Result = TypeVar("_Result")


class Ledger:
    """The ledger of one store. Thread-safe; several processes may have it open at once.

    cipher: of an encrypted store. Raises StoreKeyError for another key than the ledger's, and
    LedgerError with the remedy when the database is damaged, locked, full or read-only.
    """

    def __init__(self, path: Path, read_only: bool = False, cipher: Cipher | None = None) -> None:
        self.path = path
        self._cipher = cipher
        self._lock = threading.RLock()
        self._connection = self._guard(
            lambda: self._open_read_only() if read_only else self._open()
        )

    def insert(self, record: Record, originals: Sequence[str] = ()) -> None:
        """Write or replace the row of a memory; durable once this returns.

        originals: ids of those that it was merged from.
        """
        with self._transaction() as connection:
            connection.execute(INSERT, to_row(record, self._cipher))
            if not record.provenance.imported:
                # remembered apart from the rows, so that forgetting never reuses a counter
                connection.execute(
                    "INSERT INTO counters VALUES ('created', ?) "
                    "ON CONFLICT(name) DO UPDATE SET value = max(value, excluded.value)",
                    (record.counter,),
                )
            insert_links(connection, record.id, originals)
            carry_marks(connection, record.id, originals)

    def delete(self, *memory_ids: str) -> None:
        """Erase rows, their text too: from the database and from the write-ahead log."""
        with self._transaction() as connection:
            for memory_id in memory_ids:
                connection.execute("DELETE FROM memories WHERE id = ?", (memory_id,))
                delete_links(connection, memory_id)
                delete_marks(connection, memory_id)
        # Best effort: a reader in another process may hold the log for a moment longer.
        self._guard(lambda: self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())

    def get(self, memory_id: str) -> Record | None:
        """The row of a memory, or None."""
        query = SELECT + "WHERE id = ?"
        rows = self._guard(lambda: self._connection.execute(query, (memory_id,)).fetchall())
        return self._guard(lambda: from_row(rows[0], self._cipher)) if rows else None

    def records(self) -> list[Record]:
        """All rows, oldest compiled first."""
        query = SELECT + "ORDER BY compiled_stamp, counter, id"
        return self._guard(
            lambda: [from_row(row, self._cipher) for row in self._connection.execute(query)]
        )

    def ids(self) -> set[str]:
        """Ids of all rows."""
        query = "SELECT id FROM memories"
        return self._guard(lambda: {row[0] for row in self._connection.execute(query)})

    def within(self, window: Window) -> list[str]:
        """Ids of the memories that lie in a window, in no order."""
        if window.near is None:
            found = self._guard(
                lambda: self._connection.execute(_IDS_IN_TIME, window.span).fetchall()
            )
            return [memory_id for (memory_id,) in found]
        query = SELECT + _IN_TIME
        values: tuple[Any, ...] = window.span
        if self._cipher is None:  # else where it was is sealed, and found row by row
            (x, y, _), reach = window.near.position, window.near.radius * _EDGE
            query, values = query + _IN_BOX, (*values, window.near.frame_id, x, reach, y, reach)
        return self._guard(
            lambda: [
                record.id
                for row in self._connection.execute(query, values)
                if window.holds((record := from_row(row, self._cipher)).provenance)
            ]
        )

    def mark(self, marks: Iterable[Mark]) -> None:
        """Write down what of the rows here superseded what; durable once this returns."""
        with self._transaction() as connection:
            insert_marks(connection, marks)
            delete_stale(connection)

    def marks(self) -> list[Mark]:
        """What superseded what, the oldest first."""
        return self._guard(lambda: all_marks(self._connection))

    def later_than(self, memory_ids: Sequence[str]) -> dict[str, set[str]]:
        """For those of some memories that are superseded, all that came after, to the newest."""
        return self._guard(lambda: later_than(self._connection, memory_ids))

    def merged(self) -> list[Merged]:
        """Merged memories and their originals, by id."""
        return self._guard(lambda: all_links(self._connection))

    def confirm_merged(self, memory_ids: Sequence[str]) -> None:
        """Say of merged memories that their originals are not wanted back."""
        with self._transaction() as connection:
            for memory_id in memory_ids:
                confirm_links(connection, memory_id)

    def next_counter(self) -> int:
        """The creation counter of the next memory made here; starts at 1."""
        query = "SELECT value FROM counters WHERE name = 'created'"
        row = self._guard(lambda: self._connection.execute(query).fetchone())
        return (row[0] if row else 0) + 1

    def check(self) -> None:
        """Read the whole database; raises LedgerError if any page of it is damaged."""
        rows = self._guard(lambda: self._connection.execute("PRAGMA integrity_check").fetchall())
        if rows != [("ok",)]:
            raise self._damaged(str(rows[0][0]).splitlines()[-1])
        self.records()

    def close(self) -> None:
        """Close the database; the ledger cannot be used afterwards."""
        with self._lock:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = self._connect(f"{self.path.absolute().as_uri()}?mode=rwc")
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("BEGIN IMMEDIATE")  # two processes may create it at once
            try:
                if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                    for statement in filter(str.strip, _SCHEMA.split(";")):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
                    connection.execute(key_statement(self._cipher))
                if connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION:
                    connection.execute(_BY_TIME)
                    connection.execute(MERGED)
                    connection.execute(MARKS)
                connection.execute("COMMIT")
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            self._check_version(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _open_read_only(self) -> sqlite3.Connection:
        """On a read-only disk the WAL index cannot be made: then read the database as immutable."""
        try:
            connection = self._connect(f"{self.path.absolute().as_uri()}?mode=ro")
            self._check_version(connection)
        except sqlite3.OperationalError:
            if not self.path.is_file():
                raise
            connection = self._connect(f"{self.path.absolute().as_uri()}?mode=ro&immutable=1")
            self._check_version(connection)
        return connection

    @staticmethod
    def _connect(uri: str) -> sqlite3.Connection:
        return sqlite3.connect(
            uri, uri=True, timeout=10.0, isolation_level=None, check_same_thread=False
        )

    def _check_version(self, connection: sqlite3.Connection) -> None:
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise LedgerError(
                f"ledger {self.path} has schema {version}, this version reads {SCHEMA_VERSION}; "
                "remedy: update universal_memory, or run `ump memory reindex`"
            )
        check_database_key(connection, self._cipher, self.path)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._guard(lambda: self._connection.execute("BEGIN IMMEDIATE"))
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:
                    self._guard(lambda: self._connection.execute("ROLLBACK"))
                if isinstance(error, sqlite3.Error):
                    raise self._explained(error) from error
                raise

    def _guard(self, action: Callable[[], _Result]) -> _Result:
        with self._lock:
            try:
                return action()
            except sqlite3.Error as error:
                raise self._explained(error) from error
            except StoreKeyError:
                raise
            except (ValueError, TypeError) as error:  # a row that is not what we wrote
                raise self._damaged(str(error)) from error

    def _explained(self, error: sqlite3.Error) -> LedgerError:
        message = str(error)
        if "full" in message or "disk I/O" in message:
            return LedgerError(
                f"cannot write ledger {self.path}: {message}; remedy: free disk space"
            )
        if "readonly" in message:
            return LedgerError(
                f"cannot write ledger {self.path}: {message}; "
                "remedy: make the store writable, or choose another with --store or UMP_HOME"
            )
        if "locked" in message:
            return LedgerError(
                f"ledger {self.path} is held by another program; remedy: close what has it open"
            )
        if "unable to open" in message:
            return LedgerError(
                f"cannot open ledger {self.path}; remedy: check that the folder exists and this "
                "user may write to it"
            )
        return self._damaged(message)

    def _damaged(self, detail: str) -> LedgerError:
        return LedgerError(
            f"ledger {self.path} is damaged ({detail}); memories are not affected; "
            "remedy: run `ump memory reindex`"
        )


def salvage(path: Path, cipher: Cipher | None = None) -> list[Record]:
    """Every row that can still be read of a damaged ledger; never raises."""
    records: list[Record] = []
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    except sqlite3.Error:
        return records
    try:
        for row in connection.execute(SELECT):
            try:
                records.append(from_row(row, cipher))
            except (ValueError, TypeError):
                continue
    except sqlite3.Error:
        pass  # the rest of the file is lost
    finally:
        connection.close()
    return records


def put_aside(path: Path) -> Path:
    """Move a damaged ledger out of the way: where it is now. Raises StoreError."""
    aside, number = path.with_name("ledger.sqlite.damaged"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"ledger.sqlite.damaged-{number}")
    try:
        path.replace(aside)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, "put aside", path) from error
    return aside
