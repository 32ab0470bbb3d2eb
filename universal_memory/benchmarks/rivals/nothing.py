"""No memory: the base model and the question."""

from __future__ import annotations

import time

from universal_memory.benchmarks.rivals.rival import Answered, Asked, Rival
from universal_memory.benchmarks.rivals.world import World


class Nothing(Rival):
    """Remembers nothing."""

    name = "none"

    def remember(self, world: World) -> None:
        """Nothing to do."""

    def answer(self, asked: Asked) -> Answered:
        """What the base model guesses."""
        return self.read(asked.text, "", time.perf_counter())
