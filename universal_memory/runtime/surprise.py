"""
Surprise decides what is remembered: how much of an episode was not known, and how that lasts.

    S = momentum * exp(-pause / decay) * S_before + momentary            (per stream)

as Titans defines it (Behrouz, Zhong and Mirrokni 2024, equations 9 and 10), with the prediction
error itself in place of its gradient, since nothing is learned here: an episode is remembered as a
file or not at all. Momentum keeps what follows a surprising event; it fades with the pause between
them, and a stream or a clock that starts anew has none. Repeats are none of this: they never
get here (`experience.surprise`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from universal_memory.experience.clock import SECOND
from universal_memory.experience.episode import Episode

DECAY_SECONDS = 60.0
PAST = 256  # surprises that a new one is compared with, besides those compiled with it
FUZZ = 1e-9  # 0.1 of 30 is 3


class Predicts(Protocol):
    """What a meter needs (`runtime.prediction.Predictor`)."""

    def begin(self) -> None:
        """Know what is in the store now."""

    def surprise(self, text: str) -> float:
        """The share of a text that is not known, 0 to 1."""

    def expect(self, text: str) -> None:
        """Know a text until the next `begin`."""


@dataclass(frozen=True)
class Surprise:
    """Of one episode: `momentary` 0 (known) to 1 (new), `total` with the momentum of its stream."""

    momentary: float
    total: float


class Momentum:
    """The surprise that goes on in every stream. `share` 0 to below 1 of it is carried over."""

    def __init__(self, share: float, decay_seconds: float = DECAY_SECONDS) -> None:
        if not (0 <= share < 1 and decay_seconds > 0):
            raise ValueError(
                f"momentum {share} and decay {decay_seconds} s: give a momentum from 0 to below 1"
                " and a positive decay"
            )
        self.share, self.decay_seconds = share, decay_seconds
        self._last: dict[str, tuple[int, float]] = {}  # end and surprise of a stream's last episode

    def carried(self, streams: Sequence[str], start: int) -> float:
        """What is left at `start` (nanoseconds) of the surprise of the streams, of the largest."""
        return max((self._left(stream, start) for stream in streams), default=0.0)

    def add(self, episode: Episode, momentary: float) -> float:
        """The surprise of the next episode, with momentum."""
        total = self.carried(episode.streams, episode.start) + momentary
        self._last.update(dict.fromkeys(episode.streams, (episode.end, total)))
        return total

    def copy(self) -> Momentum:
        """The same, for a try."""
        copied = Momentum(self.share, self.decay_seconds)
        copied._last = dict(self._last)
        return copied

    def _left(self, stream: str, start: int) -> float:
        end, total = self._last.get(stream, (start, 0.0))
        pause = (start - end) / SECOND
        return self.share * math.exp(-pause / self.decay_seconds) * total if pause >= 0 else 0.0


class SurpriseMeter:
    """Chooses the episodes of a compilation that are worth a file.

    `budget`, above 0 to 1: the share that is kept, of the episodes compiled together and the last
    256 before them, so that a dull minute leaves less than an eventful one. What was chosen counts
    once it is carried out (`settle`): a compilation that failed is tried again from where it was.
    """

    def __init__(
        self,
        predictor: Predicts,
        budget: float,
        momentum: float = 0.0,
        decay_seconds: float = DECAY_SECONDS,
    ) -> None:
        self.budget = checked_budget(budget)
        self._predictor = predictor
        self._momentum = Momentum(momentum, decay_seconds)
        self._past: deque[float] = deque(maxlen=PAST)
        self._tried: tuple[Momentum, list[float]] | None = None

    def measure(self, episodes: Sequence[Episode]) -> list[Surprise]:
        """The surprise of episodes in order of time, each knowing the store and those before it."""
        self._predictor.begin()
        momentum = self._momentum.copy()
        found: list[Surprise] = []
        for episode in episodes:
            momentary = self._predictor.surprise(episode.text)
            self._predictor.expect(episode.text)
            found.append(Surprise(momentary, momentum.add(episode, momentary)))
        self._tried = momentum, [one.total for one in found]
        return found

    def select(self, episodes: Sequence[Episode]) -> tuple[list[Episode], list[Episode]]:
        """Return (kept, left out), both in the order given."""
        totals = [one.total for one in self.measure(episodes)]
        chosen = most_surprising(totals, self.budget, list(self._past))
        kept = [episode for episode, keep in zip(episodes, chosen, strict=True) if keep]
        left_out = [episode for episode, keep in zip(episodes, chosen, strict=True) if not keep]
        return kept, left_out

    def settle(self) -> None:
        """What was selected last is compiled: later episodes follow it and are compared with it."""
        if self._tried is not None:
            self._momentum, totals = self._tried
            self._past.extend(totals)
            self._tried = None


def most_surprising(
    surprises: Sequence[float], budget: float, past: Sequence[float] = ()
) -> list[bool]:
    """Which of `surprises` are in the upper share `budget` of them and `past`, rounded up.

    The earlier of equals is.
    """
    every = [*past, *surprises]
    room = math.ceil(checked_budget(budget) * len(every) - FUZZ)
    upper = set(sorted(range(len(every)), key=lambda place: (-every[place], place))[:room])
    return [place in upper for place in range(len(past), len(every))]


def checked_budget(budget: float) -> float:
    """Return the budget. Raise `ValueError` if it is not above 0 and at most 1."""
    if not 0 < budget <= 1:
        raise ValueError(f"surprise budget is {budget}: give the share to keep, above 0, at most 1")
    return budget
