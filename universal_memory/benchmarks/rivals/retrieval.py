"""Text retrieval: the texts nearest to the question by MiniLM, in the prompt."""

from __future__ import annotations

import time

from universal_memory.benchmarks.rivals.rival import Answered, Asked, Rival
from universal_memory.benchmarks.rivals.text_vectors import nearest
from universal_memory.benchmarks.rivals.world import World


class Retrieval(Rival):
    """Keeps texts and their vectors, compares the question with all, and reads the best."""

    name = "retrieval"

    def remember(self, world: World) -> None:
        """Embed all texts."""
        self._texts, self._vectors = world.texts, world.vectors

    def ready(self, asked: Asked) -> None:
        """Time what it takes to embed the right text by itself."""
        text = self._texts[asked.memory]
        self.timed(lambda: self.parts.vectors.one(text).nbytes + len(text.encode()))

    def answer(self, asked: Asked) -> Answered:
        """The answer from the nearest texts, the nearest first."""
        started = time.perf_counter()
        vector = self.parts.vectors.one(asked.text)
        best = nearest(self._vectors, vector, self.parts.settings.top_texts)
        return self._read(asked.text, " ".join(self._texts[number] for number in best), started)

    def _read(self, question: str, text: str, started: float) -> Answered:
        return self.read(question, text, started)


class MannerRetrieval(Retrieval):
    """The same, read with the renderer's shared LoRA on: text with our manner of answering."""

    name = "retrieval+manner"

    def _read(self, question: str, text: str, started: float) -> Answered:
        return self.read(question, text, started, self.parts.answerer.renderer.manner())
