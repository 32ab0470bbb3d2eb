"""Gates: how much of each retrieved memory's adapter is put on, and of each of its words.

One for memories that are about as relevant as the best, and nothing below a threshold: not a
softmax, because a second relevant memory must not weaken the first. Temperature and threshold are
learned through the answers of the model they serve (`training.gate_job`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Gates:
    """From log-odds of being relevant to gates: a logistic of the distance from the best.

    `half`: log-odds under the best at which a gate has fallen to about a half; `temperature`: how
    slowly it falls there [log-odds]. `drop_below`: gates under it are 0.
    """

    half: float = 8.0
    temperature: float = 1.5
    drop_below: float = 0.3

    def __call__(self, logits: Sequence[float]) -> list[float]:
        """One gate a memory, 0 to 1; the best gets 1."""
        if not logits:
            return []
        best = max(logits)
        whole = 1.0 + math.exp(-self.half / self.temperature)
        raw = [
            whole / (1.0 + math.exp(min(700.0, (best - logit - self.half) / self.temperature)))
            for logit in logits
        ]
        return [gate if gate >= self.drop_below else 0.0 for gate in raw]


@dataclass(frozen=True)
class WordGates:
    """From log-odds that a question asks for words (`routing.pointer`) to gates of the words.

    `shut`: gate of a word that is not asked for. `unsure`: probability of the likeliest word under
    which all are left open: what is asked for is no word of the memories, or none was understood.
    """

    shut: float = 0.2
    unsure: float = 0.3

    def __call__(self, logits: Sequence[Sequence[float]]) -> list[list[float]]:
        """One gate a word of each memory, `shut` to 1; the likeliest word of all gets 1."""
        chances = [[1.0 / (1.0 + math.exp(-max(-60.0, one))) for one in row] for row in logits]
        best = max((one for row in chances for one in row), default=0.0)
        if best < self.unsure:
            return [[1.0] * len(row) for row in chances]
        return [[self.shut + (1.0 - self.shut) * (one / best) for one in row] for row in chances]
