"""
Episodes: short runs of events that are compiled as one unit.

How much one file holds depends on how well the renderer is trained: the default, `MAX_EVENTS`, is
below the knee of the measured capacity (docs/decisions.md). The cutter fills an episode until the
next event would be one too many, then cuts it at its longest pause, so that what was said together
stays together. Where episodes are of one event, what refers back is still compiled with what it
refers to (`reference`): a file is read by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from universal_memory.experience.buffered_event import BufferedEvent
from universal_memory.experience.clock import SECOND
from universal_memory.experience.reference import MOST_JOINED, may_refer_back, refers_back

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

    `join_references`: with `max_events` 1, an event that refers back joins the last one of its
    stream, up to three and within the gap from the first of them; so what is said waits until its
    gap has passed or the stream goes on with something else, and no longer. With more events an
    episode is not cut before such an event if it can be cut elsewhere.
    """

    def __init__(
        self,
        gap_seconds: float = 20.0,
        max_word_pieces: int = 64,
        count: Callable[[str], int] = lambda text: len(text.split()),
        max_events: int = MAX_EVENTS,
        join_references: bool = True,
    ) -> None:
        if not (gap_seconds > 0 and max_word_pieces > 0 and max_events > 0):
            raise ValueError(
                f"gap_seconds {gap_seconds}, max_word_pieces {max_word_pieces} and max_events"
                f" {max_events} must all be positive"
            )
        self.gap = int(gap_seconds * SECOND)
        self.max_word_pieces = max_word_pieces
        self.max_events = max_events
        self.join_references = join_references
        self._count = count

    def cut(
        self, events: Iterable[BufferedEvent], now: int | None = None
    ) -> tuple[list[Episode], list[Episode]]:
        """
        Return the episodes that are complete, and those that may still grow: the last one, or with
        `max_events` 1 the last one of each stream.

        With `now` (nanoseconds) they are complete too once their gap has passed, or when the clock
        has jumped to before them.
        """
        rows = sorted(events, key=lambda row: row.order)
        return self._cut_singly(rows, now) if self.max_events == 1 else self._cut_runs(rows, now)

    def _cut_singly(
        self, rows: list[BufferedEvent], now: int | None
    ) -> tuple[list[Episode], list[Episode]]:
        """Every event by itself, but for those that refer back to it."""
        runs: list[list[BufferedEvent]] = []
        last: dict[str, list[BufferedEvent]] = {}  # of each stream
        for row in rows:
            run = last.get(row.event.stream, [])
            if not (run and self._joins(run, row)):
                run = last[row.event.stream] = []
                runs.append(run)
            run.append(row)
        closed: list[Episode] = []
        growing: list[Episode] = []
        for run in runs:
            is_last = run is last[run[0].event.stream] and run[0].segment == rows[-1].segment
            grows = is_last and self._may_grow(run, now)
            (growing if grows else closed).append(self._episode(run))
        return closed, growing

    def _cut_runs(
        self, rows: list[BufferedEvent], now: int | None
    ) -> tuple[list[Episode], list[Episode]]:
        """Runs of events of all streams, as long as they may be."""
        closed: list[Episode] = []
        run: list[BufferedEvent] = []
        for row in rows:
            if run and self._is_apart(run[-1], row):
                closed.append(self._episode(run))
                run = []
            run.append(row)
            while len(run) > 1 and self._is_too_much(run):
                position = self._best_cut(run)
                closed.append(self._episode(run[:position]))
                run = run[position:]
        if not run:
            return closed, []
        tail = self._episode(run)
        if now is not None and not tail.end - self.gap <= now <= tail.end + self.gap:
            return [*closed, tail], []
        return closed, [tail]

    def _joins(self, run: list[BufferedEvent], row: BufferedEvent) -> bool:
        """Whether `row` refers back to a run of its stream, near enough and with room for it."""
        return (
            self.join_references
            and len(run) < MOST_JOINED
            and refers_back(row.event)
            and not self._is_apart(run[0], row)
            and self._count(join([*run, row])) <= self.max_word_pieces
        )

    def _may_grow(self, run: list[BufferedEvent], now: int | None) -> bool:
        """Whether something that is yet to come may refer back to the last run of a stream."""
        return (
            self.join_references
            and len(run) < MOST_JOINED
            and may_refer_back(run[0].event)
            and self._count(join(run)) < self.max_word_pieces
            and (now is None or abs(now - run[0].event.stamp) <= self.gap)
        )

    def _is_apart(self, before: BufferedEvent, after: BufferedEvent) -> bool:
        pause = after.event.stamp - before.event.stamp
        return before.segment != after.segment or pause > self.gap

    def _is_too_much(self, run: list[BufferedEvent]) -> bool:
        return len(run) > self.max_events or self._count(join(run)) > self.max_word_pieces

    def _best_cut(self, run: list[BufferedEvent]) -> int:
        """Return the position of the longest pause, the latest of equals, after two events.

        Before what refers back only if there is no other.
        """
        first = min(FEWEST_EVENTS, len(run) - 1)
        pauses = {
            position: run[position].event.stamp - run[position - 1].event.stamp
            for position in range(first, len(run))
        }

        def merit(position: int) -> tuple[bool, int, int]:
            refers = self.join_references and refers_back(run[position].event)
            return not refers, pauses[position], position

        return max(pauses, key=merit)

    def _episode(self, run: list[BufferedEvent]) -> Episode:
        flags = {flag for row in run for flag in row.event.flags}
        if self._count(join(run)) > self.max_word_pieces:
            flags.add(OVERSIZE)
        return Episode(tuple(run), tuple(sorted(flags)))


def join(rows: Iterable[BufferedEvent]) -> str:
    """Return the texts joined by one space, without the empty ones."""
    return " ".join(row.event.text for row in rows if row.event.text)
