"""
What carries nothing new: events without text, and repeats.

A repeat says what the same stream said within the last `window_seconds`, letter case and
punctuation aside. A tool is compared with its own last result: `door=open`, `door=closed`,
`door=open` are three pieces of news, the same state polled three times is one. A camera that reads
part of what it has just read, or the same without a space, has no news. Nothing is dropped without
being counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from universal_memory.experience.buffered_event import BufferedEvent
from universal_memory.experience.clock import SECOND
from universal_memory.experience.event import Event, Modality

EMPTY, REPEAT = "empty", "repeat"


REMEMBERED_DECISIONS = 65_536


@dataclass
class _Heard:
    text: str
    stamp: int


class NoveltyFilter:
    """
    Selects the events worth compiling; remembers what it kept, so use one per compiler.

    Asking again about an event that was kept keeps it again: a compile that failed is repeated
    without loss. `counts` holds how many were dropped as "empty" and as "repeat".
    """

    def __init__(self, window_seconds: float = 600.0) -> None:
        if not window_seconds > 0:
            raise ValueError(f"window_seconds is {window_seconds}: it must be positive")
        self._window = int(window_seconds * SECOND)
        self._heard: dict[tuple[str, str], _Heard] = {}
        self._kept: set[int] = set()
        self.counts: Counter[str] = Counter()

    def select(
        self, events: Iterable[BufferedEvent]
    ) -> tuple[list[BufferedEvent], list[BufferedEvent]]:
        """Return (kept, dropped), both in the order given."""
        kept: list[BufferedEvent] = []
        dropped: list[BufferedEvent] = []
        for row in events:
            reason = self._reason(row)
            if reason:
                self.counts[reason] += 1
                dropped.append(row)
            else:
                kept.append(row)
        return kept, dropped

    def _reason(self, row: BufferedEvent) -> str | None:
        if row.sequence in self._kept:
            return None
        event = row.event
        text = normalise(event.text)
        if not text:
            return EMPTY
        key = (event.stream, subject(event))
        heard = self._heard.get(key)
        if heard is None and event.modality == Modality.CAMERA:
            heard = self._seen_in(event, text)
            text = heard.text if heard else text
        if heard and heard.text == text and abs(event.stamp - heard.stamp) <= self._window:
            heard.stamp = event.stamp
            return REPEAT
        self._heard[key] = _Heard(text, event.stamp)
        self._kept.add(row.sequence)
        self._forget_before(event.stamp - self._window)
        return None

    def _seen_in(self, event: Event, text: str) -> _Heard | None:
        """Find a recent view of the same stream that holds all of `text`."""
        part = text.removeprefix("sign reads ")
        for (stream, _), old in self._heard.items():
            if stream == event.stream and abs(event.stamp - old.stamp) <= self._window:
                same = old.text.replace(" ", "") == text.replace(" ", "")
                if same or f" {part} " in f" {old.text} ":
                    return old
        return None

    def _forget_before(self, stamp: int) -> None:
        """Bound the memory: old entries go once they are outside the window."""
        if len(self._heard) > 1024:
            self._heard = {key: old for key, old in self._heard.items() if old.stamp >= stamp}
        if len(self._kept) > REMEMBERED_DECISIONS:
            self._kept = set(sorted(self._kept)[REMEMBERED_DECISIONS // 2 :])


def normalise(text: str) -> str:
    """Return the words of a text in lower case, one space apart; empty if there is none."""
    return " ".join(re.findall(r"-?\w+", text.casefold()))


def subject(event: Event) -> str:
    """Return what an event is news about: a tool call without its result, else the whole text."""
    if event.modality == Modality.TOOL:
        return re.split(r"\) (?:returned|failed:) ", event.text, maxsplit=1)[0]
    return normalise(event.text)
