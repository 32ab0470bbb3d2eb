"""Training of supersession: which of two files that are near contradicts the other.

In every batch rare pieces stand for any others, the same on both sides.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from universal_memory.routing.reranker import padded
from universal_memory.routing.supersession import Supersession
from universal_memory.training.contradictions import ContradictionCorpus, Pairs
from universal_memory.training.mixed_precision import fast_bfloat16
from universal_memory.training.rare_pieces import RarePieces, misread, swapped
from universal_memory.training.schedule import Schedule
from universal_memory.training.timed_training import TimedTraining

SWAPPED = 0.3  # of the rare pieces: a name is known here by being the same, not by what it means
_BATCH = 96  # pairs of about one length


@dataclass(frozen=True)
class SupersedingPlan(Schedule):
    """How to train: `anchors` files a step, each with up to `wrong` that do not contradict it."""

    anchors: int = 72
    wrong: int = 3
    learning_rate: float = 1.5e-3
    warmup: int = 60


class SupersedingTraining(TimedTraining):
    """Trains the network on pairs of files that a robot would look at."""

    def __init__(
        self,
        corpus: ContradictionCorpus,
        rare: RarePieces,
        network: Supersession,
        plan: SupersedingPlan,
        checkpoint: Path,
        report: Callable[[dict[str, Any]], None],
    ) -> None:
        self.corpus, self.rare, self.network, self.plan = corpus, rare, network, plan
        parameters: list[Tensor] = list(network.parameters())
        optimizer = torch.optim.AdamW(
            parameters, lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        super().__init__(network, optimizer, parameters, plan, checkpoint, report)

    def losses(self, drawn: random.Random) -> tuple[Tensor, dict[str, float]]:
        """Of files drawn at random beside those that are near them."""
        pairs = self.corpus.pairs(drawn, self.plan.anchors, self.plan.wrong)
        swap = self.rare.swap(drawn, SWAPPED)
        read = {
            file: misread(self.corpus.files[file], drawn)
            for file in torch.cat([pairs.one, pairs.other]).unique().tolist()
        }
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_bfloat16()):
            logits = judged(self.network, read, pairs, swap)
        loss = F.binary_cross_entropy_with_logits(logits, pairs.against)
        right = ((logits > 0) == (pairs.against > 0)).float()
        found = right[pairs.against > 0].mean() if pairs.against.any() else torch.ones(())
        measured = {"loss": loss, "right": right.mean(), "found": found}
        return loss, {name: float(one.detach()) for name, one in measured.items()}


def judged(
    network: Supersession,
    files: Mapping[int, list[int]],
    pairs: Pairs,
    swap: Tensor | None = None,
) -> Tensor:
    """Log-odds of all pairs of some files: float32 [pairs].

    `swap`: what every piece stands for. Pairs of one length go together: little is padding.
    """
    lengths = [
        max(len(files[one]), len(files[other]))
        for one, other in zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)
    ]
    order = torch.tensor(lengths).argsort(stable=True)
    parts = []
    for rows in order.split(_BATCH):
        sides = [
            padded([files[file] for file in numbers[rows].tolist()])
            for numbers in (pairs.one, pairs.other)
        ]
        if swap is not None:
            sides = [swapped(side, swap) for side in sides]
        parts.append(network(*sides).float())
    return torch.cat(parts)[order.argsort()]
