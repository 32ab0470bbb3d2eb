"""The SQLite file under the rolling buffer: its tables, how it is opened, how it can fail."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from universal_memory.encryption import Cipher, StoreKeyError, check_database_key, key_statement

SCHEMA_VERSION = 1
PENDING, CLAIMED, COMPILED = 0, 1, 2

# `seen` outlives `events`: it is what makes an event that has left stay known.
SCHEMA = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS seen(
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, identity BLOB NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS events(
    sequence INTEGER PRIMARY KEY, segment INTEGER NOT NULL, elapsed INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT {PENDING}, memory_id TEXT, token_count INTEGER NOT NULL,
    stamp INTEGER NOT NULL, stream TEXT NOT NULL, modality TEXT NOT NULL, tokens BLOB NOT NULL,
    text BLOB NOT NULL, speaker TEXT NOT NULL, pose TEXT, flags TEXT NOT NULL,
    features BLOB NOT NULL, source TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS events_by_elapsed ON events(elapsed, stream, token_count);
CREATE INDEX IF NOT EXISTS events_by_state ON events(state, segment, stamp);
CREATE TABLE IF NOT EXISTS segments(
    segment INTEGER PRIMARY KEY, start INTEGER NOT NULL, first_stamp INTEGER);
CREATE TABLE IF NOT EXISTS counters(name TEXT PRIMARY KEY, value INTEGER NOT NULL);
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""


class RollingBufferError(BufferError):
    """The buffer cannot do what was asked; the message says why and what to do."""


def connect(path: Path, read_only: bool, cipher: Cipher | None = None) -> sqlite3.Connection:
    """
    Open `path`, creating it unless `read_only`.

    Raises RollingBufferError with the remedy, and StoreKeyError for another key than the buffer's.
    """
    database: sqlite3.Connection | None = None
    try:
        if read_only:
            if not path.is_file():
                raise RollingBufferError(
                    f"no buffer at {path}: start memory_compiler on this store first"
                )
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
        mode = _reading_mode(path) if read_only else "rwc"
        database = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            timeout=10.0,
        )
        database.row_factory = sqlite3.Row
        if not read_only:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA secure_delete = ON")  # forgotten means gone from the disk
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0 and not read_only:
            database.executescript(SCHEMA.replace("COMMIT;", f"{key_statement(cipher)}; COMMIT;"))
        elif version != SCHEMA_VERSION:
            raise RollingBufferError(
                f"{path} has buffer schema {version}, this program reads {SCHEMA_VERSION}:"
                " compile it with the program that wrote it, or move it away"
            )
        check_database_key(database, cipher, path)
        return database
    except (sqlite3.Error, OSError) as error:
        if database is not None:
            database.close()
        raise explain(error, path) from error
    except (RollingBufferError, StoreKeyError):
        if database is not None:
            database.close()
        raise


def _reading_mode(path: Path) -> str:
    """Name SQLite's mode: on a read-only file system it cannot make the log's index, if any."""
    has_log = path.with_name(path.name + "-wal").exists()
    return "ro" if has_log or os.access(path.parent, os.W_OK) else "ro&immutable=1"


def explain(error: Exception, path: Path) -> RollingBufferError:
    """Return the same failure with the path and the remedy."""
    reason = str(error).lower()
    if "full" in reason or "no space" in reason:
        remedy = "the disk is full: free some space; nothing already stored is lost"
    elif "readonly" in reason or "read-only" in reason or "permission" in reason:
        remedy = "the path is not writable: choose another store or fix its permissions"
    elif "unable to open" in reason or "directory" in reason or "exists" in reason:
        remedy = "the path cannot be opened: check that its folder exists and is yours to write"
    elif "not a database" in reason or "malformed" in reason or "seal" in reason:
        remedy = "the file is damaged or no buffer: move it away, a new one is started"
    elif "locked" in reason:
        remedy = "another process is writing: run one compiler per store"
    elif "closed" in reason:
        remedy = "open the buffer again"
    else:
        remedy = "check the disk"
    return RollingBufferError(f"rolling buffer {path}: {error}; {remedy}")
