"""A LoRA fine-tuned for every episode: gradient steps on its text, in place of a renderer.

Rank 8 on the down projections that the renderer adapts. The loss is that of a language model on the
text, by itself and as what is said to "Recall."; no question takes part.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from universal_memory.benchmarks.rivals.rival import Answered, Asked, Rival
from universal_memory.benchmarks.rivals.world import World
from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.training.batches import RECITE
from universal_memory.training.split_decoder import SplitDecoder

RANK = 8


class Tuned(Rival):
    """Keeps a LoRA for every episode that is asked about; the right one is given."""

    name = "lora"
    given = True
    note = "the right LoRA is given"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._adapters: dict[str, Adapter] = {}
        first = self.parts.answerer.renderer.config.layers[0]
        self._decoder = SplitDecoder(self.language_model, first)

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
        ids, learned = self._lesson(text)
        hidden = self._decoder.below(ids)  # the same at every step
        for _ in range(self.parts.settings.tune_steps):
            with attach(model, architecture, Adapter(layers, keys, values)):
                states = self._decoder.above(hidden)
            logits = self._decoder.head(states[:, :-1][learned])
            loss = F.cross_entropy(logits, ids[:, 1:][learned])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        adapter = Adapter(layers, keys.detach(), values.detach())
        self._adapters[text] = adapter
        return adapter.nbytes

    def _lesson(self, text: str) -> tuple[Tensor, Tensor]:
        """Token ids [2, time]: the text by itself, and as recited; which next tokens are learned,
        bool [2, time - 1].
        """
        model = self.language_model
        recall = model.prompt_ids(RECITE)
        prompt, (before, after) = model.prompt_ids(text), model.template_tokens
        said = [*prompt[before : len(prompt) - after], model.end_id]
        ids = torch.full((2, len(recall) + len(said)), model.end_id)
        ids[0, : len(said)] = torch.tensor(said)
        ids[1] = torch.tensor([*recall, *said])
        learned = torch.zeros(2, ids.shape[1] - 1, dtype=torch.bool)
        learned[0, : len(said) - 1] = True
        learned[1, len(recall) - 1 :] = True
        return ids, learned
