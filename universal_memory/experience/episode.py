"""
Episodes: short runs of events that are compiled as one unit.

How much one file holds depends on how well the renderer is trained: the default, `MAX_EVENTS`, is
below the knee of the measured capacity (docs/decisions.md). The cutter fills an episode until the
next event would be one too many, then cuts it at its longest pause, so that what was said together
stays together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from universal_memory.experience.buffered_event import BufferedEvent
from universal_memory.experience.clock import SECOND

FEWEST_EVENTS = 2
MAX_EVENTS = 1
OVERSIZE = "oversize"


@dataclass(frozen=True)
class Episode:
    """Events in order of time, at least one. `flags` holds those of its events and "oversize"."""

    events: tuple[BufferedEvent, ...]
    flags: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What the encoder reads: the events' texts joined by one space."""
        return join(self.events)

    @property
    def start(self) -> int:
        """Stamp of the first event, nanoseconds."""
        return self.events[0].event.stamp

    @property
    def end(self) -> int:
        """Stamp of the last event, nanoseconds."""
        return self.events[-1].event.stamp

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of the streams, sorted."""
        return tuple(sorted({row.event.stream for row in self.events}))

    @property
    def sequences(self) -> tuple[int, ...]:
        """Sequences of the events, for the buffer's claim and mark_compiled."""
        return tuple(row.sequence for row in self.events)


class EpisodeCutter:
    """
    Cuts events at time gaps, at segment boundaries and by size. Keeps no state between calls.

    `count` returns the word pieces of a text. An event that alone is longer than `max_word_pieces`
    becomes an episode of its own, flagged "oversize": the encoder reads its beginning only.
    """

    def __init__(
        self,
        gap_seconds: float = 20.0,
        max_word_pieces: int = 64,
        count: Callable[[str], int] = lambda text: len(text.split()),
        max_events: int = MAX_EVENTS,
    ) -> None:
        if not (gap_seconds > 0 and max_word_pieces > 0 and max_events > 0):
            raise ValueError(
                f"gap_seconds {gap_seconds}, max_word_pieces {max_word_pieces} and max_events"
                f" {max_events} must all be positive"
            )
        self.gap = int(gap_seconds * SECOND)
        self.max_word_pieces = max_word_pieces
        self.max_events = max_events
        self._count = count

    def cut(
        self, events: Iterable[BufferedEvent], now: int | None = None
    ) -> tuple[list[Episode], Episode | None]:
        """
        Return the episodes that are complete and the last one, which may still grow.

        With `now` (nanoseconds) the last one is complete too once its gap has passed, or when
        the clock has jumped to before it.
        """
        closed: list[Episode] = []
        run: list[BufferedEvent] = []
        for row in sorted(events, key=lambda row: row.order):
            if run and self._is_apart(run[-1], row):
                closed.append(self._episode(run))
                run = []
            run.append(row)
            while len(run) > 1 and self._is_too_much(run):
                position = self._best_cut(run)
                closed.append(self._episode(run[:position]))
                run = run[position:]
        if not run:
            return closed, None
        tail = self._episode(run)
        over = now is not None and not tail.end - self.gap <= now <= tail.end + self.gap
        if over or self.max_events == 1:  # nothing can join an episode of one event
            return [*closed, tail], None
        return closed, tail

    def _is_apart(self, before: BufferedEvent, after: BufferedEvent) -> bool:
        pause = after.event.stamp - before.event.stamp
        return before.segment != after.segment or pause > self.gap

    def _is_too_much(self, run: list[BufferedEvent]) -> bool:
        return len(run) > self.max_events or self._count(join(run)) > self.max_word_pieces

    def _best_cut(self, run: list[BufferedEvent]) -> int:
        """Return the position of the longest pause, the latest of equals, after two events."""
        first = min(FEWEST_EVENTS, len(run) - 1)
        pauses = {
            position: run[position].event.stamp - run[position - 1].event.stamp
            for position in range(first, len(run))
        }
        return max(pauses, key=lambda position: (pauses[position], position))

    def _episode(self, run: list[BufferedEvent]) -> Episode:
        flags = {flag for row in run for flag in row.event.flags}
        if self._count(join(run)) > self.max_word_pieces:
            flags.add(OVERSIZE)
        return Episode(tuple(run), tuple(sorted(flags)))


def join(rows: Iterable[BufferedEvent]) -> str:
    """Return the texts joined by one space, without the empty ones."""
    return " ".join(row.event.text for row in rows if row.event.text)
