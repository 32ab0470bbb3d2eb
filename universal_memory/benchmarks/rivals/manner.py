"""The renderer's shared LoRA reads the right text: the fair reader, and an upper bound of it."""

from __future__ import annotations

import time

from universal_memory.benchmarks.rivals.rival import Answered, Asked, Rival
from universal_memory.benchmarks.rivals.world import World


class Manner(Rival):
    """Keeps texts; the right one is given, and read with the manner of answering on."""

    name = "manner"
    given = True
    note = "the right text is given"

    def remember(self, world: World) -> None:
        """Keep the texts."""
        self._texts = world.texts
        self.stored = [len(text.encode()) for text in world.texts]

    def answer(self, asked: Asked) -> Answered:
        """The answer from the text that holds it."""
        started = time.perf_counter()
        manner = self.parts.answerer.renderer.manner()
        return self.read(asked.text, self._texts[asked.memory], started, manner)
