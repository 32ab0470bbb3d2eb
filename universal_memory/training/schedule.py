"""How long a training runs, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """`minutes` of training, or `steps` if positive; the rate rises for `warmup` steps.

    Minutes keep a run on a shared machine within its hour.
    """

    minutes: float = 12.0
    steps: int = 0
    learning_rate: float = 1e-3
    warmup: int = 30
    seed: int = 0
    checkpoint_minutes: float = 3.0

    def progress(self, step: int, seconds: float) -> float:
        """Share of it done after so many steps and seconds spent training, 0 to 1."""
        if self.steps:
            return min(1.0, step / self.steps)
        return min(1.0, seconds / (60.0 * self.minutes))
