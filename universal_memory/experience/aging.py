"""How events leave the rolling buffer uncompiled or done with: by age and by amount, counted."""

from __future__ import annotations

import sqlite3
from collections import Counter

from universal_memory.experience.buffer_database import CLAIMED, PENDING
from universal_memory.experience.clock import SECOND

REMEMBERED_IDENTITIES = 1_000_000


class Aging:
    """The two bounds of the buffer. The newest event and claimed events always stay."""

    def __init__(self, max_seconds: float, max_tokens: int) -> None:
        if not (max_seconds > 0 and max_tokens > 0):
            raise ValueError(
                f"bounds are {max_seconds} s and {max_tokens} tokens: both must be positive"
            )
        self._max_age = int(max_seconds * SECOND)
        self._max_tokens = max_tokens

    def apply(self, database: sqlite3.Connection, newest: int, held: int) -> int:
        """Remove what is too old, then what is too much of `held` tokens; return tokens removed."""
        rows = self._too_old(database, newest)
        removed = _remove(database, rows)
        rows = self._too_much(database, newest, held - removed - self._max_tokens)
        return removed + _remove(database, rows)

    def _too_old(self, database: sqlite3.Connection, newest: int) -> list[sqlite3.Row]:
        return database.execute(
            "SELECT sequence, state, token_count FROM events"
            " WHERE elapsed < (SELECT MAX(elapsed) FROM events) - ? AND state != ?"
            " AND sequence != ?",
            (self._max_age, CLAIMED, newest),
        ).fetchall()

    def _too_much(
        self, database: sqlite3.Connection, newest: int, excess: int
    ) -> list[sqlite3.Row]:
        """Compiled events first: they answer from their memory already."""
        surplus: list[sqlite3.Row] = []
        if excess <= 0:
            return surplus
        for row in database.execute(
            "SELECT sequence, state, token_count FROM events WHERE state != ? AND sequence != ?"
            " ORDER BY state DESC, elapsed, sequence",
            (CLAIMED, newest),
        ):
            surplus.append(row)
            excess -= row["token_count"]
            if excess <= 0:
                break
        return surplus


def total_tokens(database: sqlite3.Connection) -> int:
    """Return the number of tokens of all events held."""
    return int(database.execute("SELECT TOTAL(token_count) FROM events").fetchone()[0])


def _remove(database: sqlite3.Connection, rows: list[sqlite3.Row]) -> int:
    """Delete and count. What was never compiled is also unseen again, so a replay may bring it."""
    for row in rows:
        database.execute("DELETE FROM events WHERE sequence = ?", (row["sequence"],))
        if row["state"] == PENDING:
            database.execute("DELETE FROM seen WHERE sequence = ?", (row["sequence"],))
    for name, count in Counter(
        "aged_out" if row["state"] == PENDING else "expired" for row in rows
    ).items():
        database.execute(
            "INSERT INTO counters VALUES (?, ?)"
            " ON CONFLICT(name) DO UPDATE SET value = value + excluded.value",
            (name, count),
        )
    if rows:
        database.execute(
            "DELETE FROM seen WHERE sequence <= (SELECT MAX(sequence) FROM seen) - ?"
            " AND sequence NOT IN (SELECT sequence FROM events)",
            (REMEMBERED_IDENTITIES,),
        )
    return sum(row["token_count"] for row in rows)
