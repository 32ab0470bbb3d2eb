"""Where experience stands in time, when clocks may jump back: segments and elapsed time."""

from __future__ import annotations

import sqlite3

SECOND = 1_000_000_000
STREAM_TOLERANCE = 1 * SECOND
SEGMENT_TOLERANCE = 60 * SECOND


class ExperienceClock:
    """
    Follows header stamps (nanoseconds) and turns them into `elapsed` time that never jumps back.

    A new segment starts when a stamp is more than `STREAM_TOLERANCE` behind the newest of its own
    stream, or `SEGMENT_TOLERANCE` behind the newest of all. Between streams the tolerance is wide
    because an utterance is stamped at its start but known only at its end.
    """

    def __init__(self, segment: int = 0, start: int = 0, first_stamp: int | None = None) -> None:
        self.segment = segment
        self._start = start
        self._first = first_stamp
        self._heads: dict[str, int] = {}
        self._saved: tuple[int, int, int | None] | None = (segment, start, first_stamp)

    @classmethod
    def load(cls, database: sqlite3.Connection) -> ExperienceClock:
        """Read the clock back from the buffer's tables."""
        row = database.execute("SELECT * FROM segments ORDER BY segment DESC LIMIT 1").fetchone()
        clock = cls(*row) if row else cls()
        clock._heads.update(
            (stream, stamp)
            for stream, stamp in database.execute(
                "SELECT stream, MAX(stamp) FROM events WHERE segment = ? GROUP BY stream",
                (clock.segment,),
            )
        )
        return clock

    def save(self, database: sqlite3.Connection) -> None:
        """Write the segment when it is new."""
        row = (self.segment, self._start, self._first)
        if row != self._saved:
            database.execute("INSERT OR REPLACE INTO segments VALUES (?, ?, ?)", row)
            self._saved = row

    def advance(self, stream: str, stamp: int) -> int:
        """Follow one stamp and return its elapsed time in nanoseconds."""
        head = self._heads.get(stream, stamp)
        newest = max(self._heads.values(), default=stamp)
        if stamp < max(head - STREAM_TOLERANCE, newest - SEGMENT_TOLERANCE):
            self.begin_segment()
        if self._first is None:
            self._first = stamp
        self._heads[stream] = max(stamp, self._heads.get(stream, stamp))
        return self._start + stamp - self._first

    def begin_segment(self) -> None:
        """Start a new segment; one that is still empty is used first."""
        if self._first is None:
            return
        self._start += max(self._heads.values(), default=self._first) - self._first
        self.segment += 1
        self._first = None
        self._heads = {}
