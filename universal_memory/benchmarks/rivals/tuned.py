"""A LoRA fine-tuned for every episode: gradient steps on its text, in place of a renderer.

Rank 8 on the down projections that the renderer adapts. The loss is that of a language model on the
text, by itself and as what is said to "Recall."; no question takes part.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch.nn import functional as F

from universal_memory.benchmarks.rivals.rival import Answered, Asked, Rival
from universal_memory.benchmarks.rivals.world import World
from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.training.batches import RECITE

RANK = 8


class Tuned(Rival):
    """Keeps a LoRA for every episode that is asked about; the right one is given."""

    name = "lora"
    given = True
    note = "the right LoRA is given"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._adapters: dict[str, Adapter] = {}

    def remember(self, world: World) -> None:
        """Keep the texts; a LoRA is tuned when it is asked for."""
        self._texts = world.texts

    def ready(self, asked: Asked) -> None:
        """Tune the LoRA of the right text."""
        text = self._texts[asked.memory]
        if text not in self._adapters:
            self.timed(lambda: self._tune(text))

    def answer(self, asked: Asked) -> Answered:
        """The answer with the right LoRA on, and nothing but the question in the prompt."""
        started = time.perf_counter()
        return self.read(asked.text, "", started, self._adapters[self._texts[asked.memory]])

    def _tune(self, text: str) -> int:
        model, architecture = self.language_model.model, self.language_model.architecture
        layers = self.parts.answerer.renderer.config.layers
        drawn = torch.Generator().manual_seed(0)
        keys = torch.randn(len(layers), RANK, architecture.d_in, generator=drawn)
        keys = (keys / architecture.d_in**0.5).requires_grad_(True)
        values = torch.zeros(len(layers), RANK, architecture.d_out, requires_grad=True)
        optimizer = torch.optim.Adam([keys, values], lr=self.parts.settings.tune_rate)
        before, after = self.language_model.template_tokens
        recall = self.language_model.prompt_ids(RECITE)
        prompt = self.language_model.prompt_ids(text)
        said = [*prompt[before : len(prompt) - after], self.language_model.end_id]
        for _ in range(self.parts.settings.tune_steps):
            with attach(model, architecture, Adapter(layers, keys, values)):
                loss = self._loss([], said) + self._loss(recall, said)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        adapter = Adapter(layers, keys.detach(), values.detach())
        self._adapters[text] = adapter
        return adapter.nbytes

    def _loss(self, prompt: list[int], said: list[int]) -> torch.Tensor:
        """Mean cross-entropy of the tokens `said` after `prompt`; the first needs one before it."""
        ids = torch.tensor([[*prompt, *said]])
        logits = self.language_model.model(input_ids=ids).logits[0]
        start = max(1, len(prompt))
        return F.cross_entropy(logits[start - 1 : -1], ids[0, start:])
