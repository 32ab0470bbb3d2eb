"""The text of everything in the prompt, as much as the model's context takes."""

from __future__ import annotations

import time
from itertools import accumulate

from universal_memory.benchmarks.rivals.rival import Answered, Asked, Rival
from universal_memory.benchmarks.rivals.world import World


class FullText(Rival):
    """Keeps all texts, and reads the newest of them that fit."""

    name = "full-text"

    def remember(self, world: World) -> None:
        """Cut what does not fit, the oldest first."""
        prompts = (self.language_model.prompt_ids("", text) for text in reversed(world.texts))
        template = sum(self.language_model.template_tokens)
        tokens = [len(prompt) - template for prompt in prompts]
        self._texts, self._kept = world.texts, len(world.texts)
        self._tokens = [*accumulate(tokens)]  # of so many of the newest, a little too many
        self.stored = [len(text.encode()) for text in world.texts]

    def answer(self, asked: Asked) -> Answered:
        """The answer with the newest texts before the question."""
        started = time.perf_counter()
        room = self.language_model.context - self.parts.settings.max_tokens
        room -= len(self.language_model.prompt_ids(asked.text))
        self._kept = sum(used <= room for used in self._tokens)
        if cut := len(self._texts) - self._kept:
            self.note = f"the newest {self._kept:,} fit into the context, {cut:,} were cut"
        else:
            self.note = ""
        kept = self._texts[len(self._texts) - self._kept :]
        return self.read(asked.text, " ".join(kept), started)
