"""
The rolling buffer: recent events, durable, bounded by time and by tokens.

An event is safe from the moment `append` returns: SQLite in WAL mode with `synchronous=FULL`, so it
survives `kill -9` and a power cut. It leaves in two ways only: it is compiled, or it ages out
(older than `max_seconds`, or more than `max_tokens` in all), which is counted, never silent.

**Exactly once.** The same (stream, stamp, text) is one event, however often it is appended, also
when a bag is replayed or the event has left long ago. Compiling is two steps around the creation of
the memory file, so that a crash at any point leaves either no memory or one:

1. `claim(sequences, memory_id)` writes down which file these events are about to become,
2. the compiler stores the file (atomic, and the same content has the same id),
3. `mark_compiled(sequences, memory_id)`.

After a restart `recover(exists)` finishes the claims whose file is there and releases the others.
It returns the finished ones, for a store whose ledger row was cut off. A claimed event never ages
out, is not `pending`, and is still in `window`: it answers from text until its memory does.

**Time.** Header stamps only. A stamp more than 1 s behind the newest of its own stream (a bag that
loops) starts a new segment; streams may lag each other, since an utterance is stamped at its start
and known at its end, but not by more than a minute. Age is counted along `elapsed` time, which runs
on through segments, so that a clock that jumps back neither keeps nor expires everything.

**Encrypted.** With a `cipher` all that an event says is sealed before SQLite sees it, row by row
(`buffered_event`); identities are masked, so that nobody can test a guess at what was said.

Surprising: two processes may read, only one may write (the store's lock sees to that).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from universal_memory.encryption import Cipher, SealError
from universal_memory.experience.aging import Aging, total_tokens
from universal_memory.experience.buffer_database import (
    CLAIMED,
    COMPILED,
    PENDING,
    RollingBufferError,
    connect,
    explain,
)
from universal_memory.experience.buffer_statistics import (
    BufferStatistics,
    read_statistics,
    read_token_rates,
)
from universal_memory.experience.buffered_event import (
    HIDDEN,
    INSERT,
    REWRITE,
    BufferedEvent,
    from_row,
    identity,
    to_row,
)
from universal_memory.experience.clock import SECOND, ExperienceClock
from universal_memory.experience.event import Event

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["BufferStatistics", "RollingBuffer", "RollingBufferError"]


class RollingBuffer:
    """Durable queue of events from the ingest nodes to the compiler. Safe to use from threads."""

    def __init__(
        self,
        path: Path,
        max_seconds: float = 3600,
        max_tokens: int = 2_000_000,
        read_only: bool = False,
        cipher: Cipher | None = None,
    ) -> None:
        """
        Open or create; `read_only` opens another process's buffer; `cipher` is its store's.

        Raises RollingBufferError, and StoreKeyError for another key than the buffer's.
        """
        self.path = Path(path)
        self._aging = Aging(max_seconds, max_tokens)
        self._lock = threading.RLock()
        self._duplicates = 0
        self._cipher = cipher
        self._database = connect(self.path, read_only, cipher)
        self._load()

    def append(self, event: Event) -> int:
        """Store durably and return the sequence; the same event again returns its first one."""
        with self._transaction() as database:
            elapsed = self._clock.advance(event.stream, event.stamp)
            self._clock.save(database)
            key = identity(event, self._cipher)
            known = database.execute("SELECT sequence FROM seen WHERE identity=?", (key,))
            row = known.fetchone()
            if row:
                self._duplicates += 1
                return int(row["sequence"])
            cursor = database.execute("INSERT INTO seen(identity) VALUES (?)", (key,))
            sequence = int(cursor.lastrowid or 0)
            place = (sequence, self._clock.segment, elapsed, len(event.tokens))
            database.execute(INSERT, (*place, *to_row(event, sequence, self._cipher)))
            self._tokens += len(event.tokens)
            self._tokens -= self._aging.apply(database, sequence, self._tokens)
            return sequence

    def start_segment(self) -> int:
        """Begin a new run of unbroken time, after a backward clock jump; return its number."""
        with self._transaction() as database:
            self._clock.begin_segment()
            self._clock.save(database)
            return self._clock.segment

    def pending(self) -> list[BufferedEvent]:
        """Return the events nobody has claimed or compiled yet, by segment, then stamp."""
        return self._select("state = ?", (PENDING,))

    def window(self, seconds: float | None = None) -> list[BufferedEvent]:
        """Return the events that are in no memory yet, of the last `seconds` (None: all)."""
        if seconds is None:
            return self._select("state < ?", (COMPILED,))
        since = "elapsed >= (SELECT MAX(elapsed) FROM events) - ?"
        return self._select(f"state < ? AND {since}", (COMPILED, int(seconds * SECOND)))

    def claim(self, sequences: Iterable[int], memory_id: str) -> None:
        """Write down that these pending events are about to become `memory_id`, all or none."""
        self._move(sequences, CLAIMED, memory_id)

    def mark_compiled(self, sequences: Iterable[int], memory_id: str | None) -> None:
        """
        Settle events: they are in `memory_id`, or carry nothing new (None). All in one transaction.

        The words of what carries nothing new are erased: nobody would know to forget them later.
        Doing it again is harmless; events that aged out meanwhile are passed over. Raises
        RollingBufferError when one already belongs to another memory.
        """
        self._move(sequences, COMPILED, memory_id)

    def claims(self) -> dict[str, list[BufferedEvent]]:
        """Return claimed events by memory id: what a crash or a running compile left open."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT * FROM events WHERE state = ? ORDER BY segment, stamp, sequence", (CLAIMED,)
            ).fetchall()
        claims: dict[str, list[BufferedEvent]] = {}
        for row in rows:
            claims.setdefault(row["memory_id"], []).append(self._opened(row))
        return claims

    def release(self, memory_id: str) -> None:
        """Make the events claimed for `memory_id` pending again: its file was not written."""
        with self._transaction() as database:
            database.execute(
                "UPDATE events SET state = ?, memory_id = NULL WHERE state = ? AND memory_id = ?",
                (PENDING, CLAIMED, memory_id),
            )

    def recover(self, exists: Callable[[str], bool]) -> dict[str, list[BufferedEvent]]:
        """Settle what a crash left open; return the claims whose memory `exists`, now compiled."""
        finished = {}
        for memory_id, events in self.claims().items():
            if exists(memory_id):
                self.mark_compiled([row.sequence for row in events], memory_id)
                finished[memory_id] = events
            else:
                self.release(memory_id)
        return finished

    def compiled_ids(self) -> set[str]:
        """Return the ids of the memories whose events are still held."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT DISTINCT memory_id FROM events WHERE state = ? AND memory_id NOT NULL",
                (COMPILED,),
            ).fetchall()
        return {row["memory_id"] for row in rows}

    def forget(self, memory_id: str) -> int:
        """Erase the events that became `memory_id`; a replay does not bring them back. Count."""
        with self._transaction() as database:
            count = database.execute(
                "DELETE FROM events WHERE state = ? AND memory_id = ?", (COMPILED, memory_id)
            ).rowcount
            self._tokens = total_tokens(database)
        with self._reading() as database:  # the log would still hold the words
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return count

    def token_rates(self, seconds: float = 60.0) -> dict[str, float]:
        """Return tokens per second of each stream over the last `seconds` of experience."""
        with self._reading() as database:
            return read_token_rates(database, seconds)

    def statistics(self) -> BufferStatistics:
        """Return what is held and what has left."""
        with self._reading() as database:
            return read_statistics(database, self._duplicates)

    def close(self) -> None:
        """Close the database; using the buffer afterwards raises RollingBufferError."""
        with self._lock:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _select(self, condition: str, values: tuple[int, ...]) -> list[BufferedEvent]:
        query = f"SELECT * FROM events WHERE {condition} ORDER BY segment, stamp, sequence"  # noqa: S608
        with self._reading() as database:
            return [self._opened(row) for row in database.execute(query, values)]

    def _opened(self, row: sqlite3.Row) -> BufferedEvent:
        try:
            return from_row(row, self._cipher)
        except SealError as error:
            raise explain(error, self.path) from error

    def _move(self, sequences: Iterable[int], state: int, memory_id: str | None) -> None:
        with self._transaction() as database:
            for sequence in sequences:
                row = database.execute(
                    "SELECT state, memory_id FROM events WHERE sequence = ?", (sequence,)
                ).fetchone()
                if row is None:
                    if state == CLAIMED:
                        raise RollingBufferError(
                            f"event {sequence} has aged out: ask pending() again and cut anew"
                        )
                    continue
                mine = row["memory_id"] == memory_id and row["state"] <= state
                if row["state"] != PENDING and not mine:
                    raise RollingBufferError(
                        f"event {sequence} is already taken by memory {row['memory_id']}, wanted"
                        f" for {memory_id}: run one compiler per store, recover() after a crash"
                    )
                database.execute(
                    "UPDATE events SET state = ?, memory_id = ? WHERE sequence = ?",
                    (state, memory_id, sequence),
                )
                if memory_id is None:
                    database.execute(REWRITE, (*HIDDEN, sequence))

    def _load(self) -> None:
        """Read back what is kept in memory: where time stands and how many tokens are held."""
        with self._reading() as database:
            self._clock = ExperienceClock.load(database)
            self._tokens = total_tokens(database)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                yield self._database
            except sqlite3.Error as error:
                raise explain(error, self.path) from error

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; the memory of where time stands is rolled back with the rows."""
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                self._load()
                raise
