"""Training as a robot answers: of most questions only the words that are asked for are open."""

from __future__ import annotations

import random

import torch
from torch import Tensor

from universal_memory.routing.gates import WordGates
from universal_memory.routing.pointer import Pointer
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.space.text_tower import TextTower
from universal_memory.training.batches import Batch
from universal_memory.training.pointing import Pointed, pointed

SHARE = 0.75  # of the questions; the others find every word open, as without a pointer


class PointedGates:
    """Gates of the words of a batch's memories, for each question over all that are put on."""

    def __init__(self, pointer: Pointer, tower: TextTower, gating: WordGates | None = None) -> None:
        self.pointer, self.tower = pointer, tower
        self.gating = gating or WordGates()

    @torch.no_grad()
    def __call__(self, batch: Batch, drawn: random.Random, share: float = SHARE) -> Tensor:
        """Float32 [questions, memories, 64], 1 for what is open.

        A share of the questions is pointed, none of those that recite. A memory's words are those
        of its text, which the reader finds in its seats.
        """
        room = torch.ones(*batch.gates.shape, SEATS * SLOTS)
        memories = [tuple(self.tower.token_ids(text)[: SEATS * SLOTS]) for text in batch.texts]
        asked = [
            (row, int(memory))
            for row, sample in enumerate(batch.questions)
            if not sample.recited and drawn.random() < share
            for memory in batch.gates[row].nonzero()
        ]
        if not asked:
            return room
        questions = [tuple(self.tower.token_ids(one.question)) for one in batch.questions]
        rows = [Pointed(questions[row], memories[memory], ()) for row, memory in asked]
        found = pointed(self.pointer, rows)[0].tolist()
        by_question: dict[int, list[tuple[int, list[float]]]] = {}
        for (row, memory), logits in zip(asked, found, strict=True):
            by_question.setdefault(row, []).append((memory, logits[: len(memories[memory])]))
        for row, some in by_question.items():
            gates = self.gating([logits for _, logits in some])
            for (memory, _), words in zip(some, gates, strict=True):
                room[row, memory, : len(words)] = torch.tensor(words)
        return room
