"""What the rolling buffer holds, what has left it, and how fast each stream fills it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from universal_memory.experience.aging import total_tokens
from universal_memory.experience.buffer_database import CLAIMED, COMPILED, PENDING
from universal_memory.experience.clock import SECOND


@dataclass(frozen=True)
class BufferStatistics:
    """
    Counts of events by state, and the `tokens` they hold.

    `aged_out` left without having been compiled: raise the bounds or compile more often when it
    grows. `expired` left after they were compiled. `duplicates` were appended again since opening.
    """

    pending: int
    claimed: int
    compiled: int
    tokens: int
    aged_out: int
    expired: int
    duplicates: int
    segments: int


def read_statistics(database: sqlite3.Connection, duplicates: int) -> BufferStatistics:
    """Count what the tables hold; `duplicates` is known only to the writer."""
    states = database.execute("SELECT state, COUNT(*) FROM events GROUP BY state")
    held = dict(states)
    left = dict(database.execute("SELECT name, value FROM counters"))
    return BufferStatistics(
        pending=held.get(PENDING, 0),
        claimed=held.get(CLAIMED, 0),
        compiled=held.get(COMPILED, 0),
        tokens=total_tokens(database),
        aged_out=left.get("aged_out", 0),
        expired=left.get("expired", 0),
        duplicates=duplicates,
        segments=database.execute("SELECT COUNT(*) FROM segments").fetchone()[0],
    )


def read_token_rates(database: sqlite3.Connection, seconds: float) -> dict[str, float]:
    """Return tokens per second of each stream held; of the time there is, if that is shorter."""
    newest, oldest = database.execute("SELECT MAX(elapsed), MIN(elapsed) FROM events").fetchone()
    if newest is None:
        return {}
    span = min(seconds, max((newest - oldest) / SECOND, 1.0))
    rows = database.execute(
        "SELECT stream, SUM(CASE WHEN elapsed > ? THEN token_count ELSE 0 END)"
        " FROM events GROUP BY stream ORDER BY stream",
        (newest - int(seconds * SECOND),),
    )
    return {stream: tokens / span for stream, tokens in rows}
