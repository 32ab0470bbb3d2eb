"""Teaches which words of a memory belong together, by what the corpus knows of its sentences.

The words of an answer belong with those that a question about it names. The attention of
`rendering.word_binding` is told so seat by seat.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from universal_memory.rendering.renderer import Renderer
from universal_memory.rendering.word_binding import FAR
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample
from universal_memory.training.mixed_precision import fast_bfloat16
from universal_memory.training.schedule import Schedule

MEMORIES = 128  # of a step of teaching
REPORT_EVERY = 20


@dataclass(frozen=True)
class Bonds:
    """Seats of answers, and the seats of what they are about.

    `memory`, `seat`: int64 [bonds]; `partners`: bool [bonds, 64].
    """

    memory: Tensor
    seat: Tensor
    partners: Tensor

    def loss(self, binding: Tensor) -> Tensor:
        """How far the attention is from an even one to all that it should go to, in nats.

        Even, because an answer must come with every word of the question: a time with who it was
        as well as with what was done. 0 where nothing is known. `binding`: log-shares [memories,
        seats, seats] (`WordBinding`).
        """
        rows, wanted = self._rows(binding)
        if not len(rows):
            return binding.new_zeros(())
        count = wanted.sum(1)
        return (-(rows * wanted).sum(1) / count - count.log()).mean()

    @torch.no_grad()
    def share(self, binding: Tensor) -> float:
        """Mean share of the attention that goes where it should."""
        rows, wanted = self._rows(binding)
        return float((rows.exp() * wanted).sum(1).mean())

    def _rows(self, binding: Tensor) -> tuple[Tensor, Tensor]:
        """Log-shares of the seats with bonds, and where they should go: [bonds, seats] both.

        Without what could not be read: nothing attends to an empty seat.
        """
        seats = binding.shape[1]
        seen = self.seat < seats
        where = self.memory[seen].to(binding.device), self.seat[seen].to(binding.device)
        rows = binding[where]
        wanted = self.partners[seen, :seats].to(binding.device) & (rows > 0.5 * FAR)
        able = wanted.any(1)
        return rows[able], wanted[able]


def bonds_of(episodes: Sequence[EpisodeSample], tower: TextTower) -> Bonds:
    """What belongs together in the texts of some episodes, a memory each."""
    memories: list[int] = []
    seats: list[int] = []
    partners: list[Tensor] = []
    for memory, episode in enumerate(episodes):
        start = 0
        for fact in episode.facts:
            pieces = tower.token_ids(fact.statement)
            mask = torch.zeros(SEATS * SLOTS, dtype=torch.bool)
            about = [_places(pieces, tower.token_ids(text)) for text in fact.subject]
            for place in (start + place for found in about for place in found):
                if place < len(mask):
                    mask[place] = True
            for place in _places(pieces, tower.token_ids(fact.questions[0].answers[0])):
                if start + place < len(mask):
                    memories.append(memory)
                    seats.append(start + place)
                    partners.append(mask)
            start += len(pieces)
    stacked = torch.stack(partners) if partners else torch.zeros(0, SEATS * SLOTS, dtype=torch.bool)
    return Bonds(torch.tensor(memories).long(), torch.tensor(seats).long(), stacked)


def _places(pieces: Sequence[int], wanted: Sequence[int]) -> range:
    """Where the pieces of a phrase first stand among those of a sentence; empty if nowhere."""
    for start in range(len(pieces) - len(wanted) + 1):
        if tuple(pieces[start : start + len(wanted)]) == tuple(wanted):
            return range(start, start + len(wanted))
    return range(0)


def teach_binding(
    renderer: Renderer,
    space: SemanticSpace,
    schedule: Schedule,
    report: Callable[[dict[str, Any]], None],
) -> None:
    """Train the binding of a renderer alone, before anything is answered with it."""
    parameters = list(renderer.binding.parameters())
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.01)
    device = next(renderer.parameters()).device
    fast = fast_bfloat16(str(device))
    started, step = time.monotonic(), 0
    while (done := schedule.progress(step, time.monotonic() - started)) < 1.0:
        drawn = random.Random(f"{schedule.seed} binding {step}")
        generator = EpisodeGenerator(drawn.randrange(2**31))
        episodes = [generator.episode(drawn.choice((1, 1, 2, 3))) for _ in range(MEMORIES)]
        bonds = bonds_of(episodes, space.tower)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=fast):
            with torch.no_grad():
                texts = space.tower([episode.text for episode in episodes])
                usv = space.encoder(texts.states, texts.mask).float()
            binding = renderer.bound(usv)
        loss = bonds.loss(binding)
        for group in optimizer.param_groups:
            rate = min(1.0, (step + 1) / schedule.warmup) * (1.02 - done)
            group["lr"] = schedule.learning_rate * rate
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        step += 1
        if step % REPORT_EVERY == 0:
            report({"taught": step, "progress": done, "binding": float(loss.detach()),
                    "share": bonds.share(binding.cpu())})  # fmt: skip
