"""Soft tokens in place of a LoRA: the best file's USV as 16 input embeddings before the question.

The manner of answering stays on, as for ours: what is compared is how a memory gets into the model.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

from universal_memory.benchmarks.rivals.decoding import say
from universal_memory.benchmarks.rivals.ours import Ours
from universal_memory.benchmarks.rivals.rival import Answered, Asked
from universal_memory.benchmarks.rivals.world import World
from universal_memory.space.encoder import SLOTS


class Soft(Ours):
    """Keeps what ours does; routed by the same router, the best file alone."""

    name = "soft-tokens"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._network: Any = None

    def remember(self, world: World) -> None:
        """As ours; the first time the map is loaded, or trained if there is none."""
        super().remember(world)
        self._finder = self._filing.finder()
        if self._network is None:
            self._network = self._loaded()

    def answer(self, asked: Asked) -> Answered:
        """The answer with the best memory before the question, in embeddings."""
        started = time.perf_counter()
        answerer, model = self.parts.answerer, self.language_model
        found = self._finder.find(answerer.router.ask(asked.text), top_k=1, min_relevance=0.0)
        usv = torch.from_numpy(self._filing.store.get(found[0][0]).usv.copy())
        with torch.inference_mode():
            ids = torch.tensor([model.prompt_ids(asked.text)])
            embedded = self._network.prompt(model, ids, usv.unsqueeze(0))
        manner = answerer.renderer.manner()
        most = self.parts.settings.max_tokens
        spoken = say(model, started, most, embedded=embedded, adapter=manner)
        return Answered(spoken.text, SLOTS + ids.shape[1], spoken.first_token_ms)

    def _loaded(self) -> Any:
        from universal_memory.training.soft_tokens import folder_of, load_soft_tokens
        from universal_memory.training.soft_tokens import train_soft_tokens as train

        answerer, settings = self.parts.answerer, self.parts.settings
        folder: Path = settings.soft_run or folder_of(self.language_model.name)
        try:
            network, card = load_soft_tokens(folder, answerer)
        except FileNotFoundError:

            def report(values: dict[str, Any]) -> None:
                done = int(1000 * float(values.get("progress", 1.0)))
                self.parts.advance("soft tokens", done, 1000)

            network, card = train(answerer, folder, settings.soft_minutes, report=report)
        self.note = f"one file; {card['minutes']:.0f} min of training, {card['steps']} steps"
        return network
