"""Ours: memory files, routed, rendered and fused; and with another memory's file, as a control."""

from __future__ import annotations

import time

from universal_memory.benchmarks.rivals.decoding import say
from universal_memory.benchmarks.rivals.rival import Answered, Asked, Rival
from universal_memory.benchmarks.rivals.world import World
from universal_memory.runtime.answer import Prepared


class Ours(Rival):
    """Keeps a memory file and a passport of every text, and puts the best files on the model."""

    name = "ours"

    def remember(self, world: World) -> None:
        """Passports of all; files of those that a question may choose (`Filing`)."""
        self._filing = world.filing
        self._answerer = self._filing.answerer()
        self._count = len(world.texts)

    def ready(self, asked: Asked) -> None:
        """Compile what routing will read for this question."""
        while numbers := self._filing.wanted(asked.text):
            for number in numbers:
                self._filing.file(number)
        self._count_costs(asked.memory)

    def answer(self, asked: Asked) -> Answered:
        """The answer with the memories on, and nothing but the question in the prompt."""
        started = time.perf_counter()
        ready = self._prepared(asked)
        most = self.parts.settings.max_tokens
        spoken = say(self.language_model, started, most, ids=ready.prompt, adapter=ready.adapter)
        return Answered(spoken.text, len(ready.prompt), spoken.first_token_ms)

    def _prepared(self, asked: Asked) -> Prepared:
        top = self.parts.settings.top_files
        return self._answerer.prepare(asked.text, top_k=top, min_relevance=0.0)

    def _count_costs(self, number: int) -> None:
        """Of the memory that answers; if routing did not come near it, it is no file."""
        if costs := self._filing.costs.get(number):
            self.compiled_ms.append(costs[0])
            self.stored.append(costs[1])


class Shuffled(Ours):
    """The control: the file of another memory is on, whatever is asked."""

    name = "ours shuffled"
    note = "control: another memory's file is on"

    def ready(self, asked: Asked) -> None:
        """Compile the other memory."""
        self._filing.file(self._other(asked))
        self._count_costs(self._other(asked))

    def _prepared(self, asked: Asked) -> Prepared:
        among = [self._filing.ids[self._other(asked)]]
        return self._answerer.prepare(asked.text, top_k=1, min_relevance=0.0, among=among)

    def _other(self, asked: Asked) -> int:
        return (asked.memory + 1) % self._count
