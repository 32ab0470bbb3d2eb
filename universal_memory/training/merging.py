"""Training of the merger: what the text tower says of the pieces of a memory, from its slots.

Texts are drawn anew at every step and encoded as memories of one fact; several of them, as the
frozen encoder would write them side by side from the tower's own states, are what the merger's
states have to give.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from universal_memory.resources import models_dir
from universal_memory.space.encoder import SLOT_WIDTH, SLOTS
from universal_memory.space.merging import PLACES, WEIGHTS, MergeError, SlotMerger, seated
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.slot_reader import Reading
from universal_memory.space.text_tower import PARTS
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.model_card import machine
from universal_memory.training.schedule import Schedule
from universal_memory.training.timed_training import TimedTraining
from universal_memory.weights import save_weights

Report = Callable[[dict[str, Any]], None]
CHECKPOINT = "checkpoint.pt"
SCORED = 64  # groups
_HIDDEN = slice(PARTS[0], PARTS[0] + PARTS[1])


@dataclass(frozen=True)
class MergingPlan(Schedule):
    """How to train: `groups` a step, of `files` memories each."""

    groups: int = 24
    files: int = 3


@dataclass(frozen=True)
class MergingBatch:
    """Memories of one fact: `usv` [memories, 16, 256], what is in their seats, tower states."""

    usv: Tensor
    reading: Reading
    states: Tensor


class MergingTraining(TimedTraining):
    """Trains the merger of a frozen space."""

    def __init__(
        self,
        space: SemanticSpace,
        merger: SlotMerger,
        plan: MergingPlan,
        checkpoint: Path,
        report: Report,
    ) -> None:
        self.space, self.merger, self.plan = space, merger, plan
        parameters: list[Tensor] = list(merger.parameters())
        optimizer = torch.optim.AdamW(
            parameters, lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        super().__init__(merger, optimizer, parameters, plan, checkpoint, report)

    def losses(self, drawn: random.Random) -> tuple[Tensor, dict[str, float]]:
        """Mean squared errors of the merged USV and of the hidden states, both layer-normed."""
        count = self.plan.groups * self.plan.files
        batch = batch_of(self.space, drawn.getrandbits(32), "train", count)
        slots, hidden = errors(self.space, self.merger, batch, self.plan.files)
        return slots + hidden, {"slots": float(slots.detach()), "hidden": float(hidden.detach())}


def batch_of(space: SemanticSpace, seed: int, split: str, count: int) -> MergingBatch:
    """`count` new memories of one fact."""
    generator = EpisodeGenerator(seed, split)
    return encoded(space, [generator.episode(1).text for _ in range(count)])


def errors(
    space: SemanticSpace, merger: SlotMerger, batch: MergingBatch, files: int
) -> tuple[Tensor, Tensor]:
    """Of the USVs merged of so many `files` each, and of the hidden states they are written from.

    Mean squared, after layer norm; the second as a share of what is to be said.
    """
    found = merger(batch.usv, batch.reading)
    said, wanted = (
        space.encoder.hidden_norm(states[batch.reading.taken][:, _HIDDEN])
        for states in (found, batch.states)
    )
    written, target = (_merged(space, batch, states, files) for states in (found, batch.states))
    return F.mse_loss(written, target), F.mse_loss(said, wanted) / wanted.square().mean()


def _merged(space: SemanticSpace, batch: MergingBatch, states: Tensor, files: int) -> Tensor:
    """USVs of the groups of `files` that fit into one: [groups, 16, 256]."""
    rows, masks = [], []
    for start in range(0, len(states), files):
        here = slice(start, start + files)
        try:
            row, mask = seated(states[here], batch.reading[here])
        except MergeError:
            continue
        room = PLACES - len(row)
        rows.append(F.pad(row, (0, 0, 0, room)))
        masks.append(F.pad(mask, (0, room)))
    if not rows:
        return states.new_zeros(1, SLOTS, SLOT_WIDTH)
    merged: Tensor = space.encoder(torch.stack(rows), torch.stack(masks))
    return merged


@torch.no_grad()
def encoded(space: SemanticSpace, texts: Sequence[str]) -> MergingBatch:
    """Texts as memories, beside what the tower says of them."""
    seen = space.tower(list(texts))
    usv = space.encoder(seen.states, seen.mask)
    room = PLACES - seen.mask.shape[1]
    mask = F.pad(seen.mask, (0, room))
    flags = F.pad(seen.flags[..., 1:] > 0, (0, 0, 0, room))
    reading = Reading(F.pad(seen.ids, (0, room)) * mask, flags & mask.unsqueeze(-1), mask)
    return MergingBatch(usv, reading, F.pad(seen.states, (0, 0, 0, room)))


def train_merger(
    run: Path, minutes: float, steps: int, seed: int, report: Report, out: Path | None = None
) -> None:
    """A merger over the space of the models folder, into that folder or into `out`."""
    torch.manual_seed(seed)
    space = SemanticSpace.load()
    merger = SlotMerger(space)
    plan = MergingPlan(minutes=minutes, steps=steps, seed=seed)
    training = MergingTraining(space, merger, plan, run / CHECKPOINT, report)
    training.run()
    scores = merging_scores(space, merger.eval(), plan.files)
    card = {
        "command": "ump train merger",
        "space_id": space.space_id,
        "seed": seed,
        "steps": training.step,
        "minutes": training.seconds / 60,
        "machine": machine(),
        "scores": scores,
    }
    folder = out or models_dir()
    save_weights(folder / WEIGHTS, merger, card)
    report({"event": "written", "folder": str(folder), **scores})


@torch.no_grad()
def merging_scores(space: SemanticSpace, merger: SlotMerger, files: int) -> dict[str, float]:
    """Errors on new texts, with the exact half alone (`exact`) beside them."""
    scores: dict[str, float] = {}
    both = {"exact": SlotMerger(space), "learned": merger}
    for split in ("new_combinations", "held_out", "unseen_families"):
        batch = batch_of(space, 1, split, SCORED * files)
        for name, one in both.items():
            slots, hidden = errors(space, one, batch, files)
            scores |= {f"{name}_slots_{split}": float(slots)}
            scores |= {f"{name}_hidden_{split}": float(hidden)}
    return scores
