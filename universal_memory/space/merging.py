"""Merging: several memories to one, in the space itself; no text takes part.

What says which words a memory holds is exact: every word piece sits in a seat, is read out of it
and seated anew behind those of the memory before, with an empty seat between: so the parts of a
merged memory can still be told apart (`Reading.part_numbers`). What the pieces mean together is
learned: a small transformer recovers from the slots, and from the pieces, what the text tower had
said of them, and the frozen encoder writes both into one Universal Semantic Vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.resources import models_dir
from universal_memory.space.encoder import SEATS, SLOT_WIDTH, SLOTS
from universal_memory.space.piece_codes import CODE_WIDTH, MARK_WIDTH
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.slot_reader import Reading
from universal_memory.space.text_tower import CONTEXT_WIDTH, PARTS
from universal_memory.weights import load_weights

WEIGHTS = Path("space") / "merger.safetensors"
PLACES = SEATS * SLOTS
BLOCKS, HEADS = 3, 4
LEVEL = 0.86  # of a mark's numbers in a seat, as the encoder writes them on average
TRIES = 8


class MergeError(ValueError):
    """Memories that do not go into one."""


class SeatMerger:
    """USVs of memories to one USV that holds the pieces of all, in their order.

    The exact half alone, nothing is trained: the pieces mean what they mean by themselves.
    """

    def __init__(self, space: SemanticSpace) -> None:
        self._parts = (space,)  # in a tuple: no modules of a subclass

    @property
    def _space(self) -> SemanticSpace:
        return self._parts[0]

    def states(self, usv: Tensor, reading: Reading) -> Tensor:
        """States of the pieces in the seats, as the text tower's: [memories, 64, 816].

        `usv` float32 [memories, 16, 256], `reading` of it. Seats that are empty are zero.
        """
        words = F.embedding(reading.pieces, self._space.tower.words)
        hidden = words.new_zeros(*words.shape[:2], PARTS[1])
        states = torch.cat([words, hidden, self._marks(reading)], dim=-1)
        return states * reading.taken.unsqueeze(-1)

    @torch.no_grad()
    def merge(self, usv: NDArray[np.float32]) -> NDArray[np.float32]:
        """One USV [16, 256] of several, [memories, 16, 256], in their order.

        Raises MergeError if their pieces have no room in 64 seats, an empty one between two parts,
        or cannot be read out of the outcome as they could before.
        """
        given = torch.from_numpy(np.ascontiguousarray(usv, dtype=np.float32))
        reading = self._space.reader(given)
        states, mask = seated(self.states(given, reading), reading)
        whole: Tensor = self._space.encoder(states.unsqueeze(0), mask.unsqueeze(0))
        return np.asarray(self._cleaned(whole[0], states[:, -MARK_WIDTH:]).numpy())

    def _cleaned(self, usv: Tensor, marks: Tensor) -> Tensor:
        """The nearest USV [16, 256] whose seats read as `marks` [seats, 48] were written.

        The encoder never left a seat empty between two, so that it does not do it well; and what
        surrounds a mark blurs it. Seats that read right stay as they are. Raises MergeError.
        """
        marks = F.pad(marks, (0, 0, 0, PLACES - len(marks)))
        empty = marks[:, CODE_WIDTH] == 0
        wanted = marks.clone()
        wanted[empty, CODE_WIDTH] = -1.0
        reader = self._space.reader
        there = reader.seats.transpose(1, 2).flatten(0, 1)  # [4 x 48, 256]
        back = torch.linalg.pinv(there)
        for _ in range(TRIES):
            read = self._marks(found := reader(usv.unsqueeze(0)))[0]
            wrong = (found.taken[0] == empty) | ((read != marks).any(-1) & ~empty)
            if not wrong.any():
                return usv
            seats = (usv @ there.T).view(SLOTS, SEATS, MARK_WIDTH).transpose(0, 1).flatten(0, 1)
            change = torch.where(wrong.unsqueeze(-1), LEVEL * wanted - seats, 0.0)
            slots = change.view(SEATS, SLOTS, MARK_WIDTH).transpose(0, 1).flatten(1)
            usv = F.layer_norm(usv + slots @ back.T, (SLOT_WIDTH,))
        raise MergeError(
            f"{int(wrong.sum())} of {PLACES} seats of a merged memory cannot be read; remedy: merge"
            " others"
        )

    def _marks(self, reading: Reading) -> Tensor:
        """Codes and flags as they were written: float32 [memories, 64, 48], each -1 or +1."""
        codes = self._space.reader.codes[reading.pieces].sign()
        there = torch.ones_like(reading.taken).unsqueeze(-1)
        return torch.cat([codes, 2.0 * torch.cat([there, reading.flags], dim=-1) - 1.0], dim=-1)


class SlotMerger(nn.Module, SeatMerger):
    """USVs of memories to one USV that holds the pieces of all, in their order.

    Reader, encoder and word embeddings are the space's and no part of the weights. Untrained it
    says as much as `SeatMerger`: its last map is zero.
    """

    def __init__(self, space: SemanticSpace, width: int = SLOT_WIDTH) -> None:
        nn.Module.__init__(self)
        SeatMerger.__init__(self, space)
        self.slot = nn.Parameter(torch.randn(SEATS, SLOT_WIDTH, width) / SLOT_WIDTH**0.5)
        self.word = nn.Linear(PARTS[0], width)
        self.mark = nn.Linear(MARK_WIDTH, width)
        self.place = nn.Parameter(torch.randn(PLACES, width) * 0.1)
        block = nn.TransformerEncoderLayer(
            width, HEADS, 4 * width, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.blocks = nn.TransformerEncoder(
            block, BLOCKS, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        self.out = nn.Linear(width, PARTS[1])
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    @classmethod
    def load(cls, space: SemanticSpace, folder: Path | None = None) -> SlotMerger:
        """The one trained over a space.

        Raises FileNotFoundError or WeightsError with the remedy, for another space too.
        """
        merger = cls(space)
        load_weights((folder or models_dir()) / WEIGHTS, merger, space.space_id)
        return merger.eval().requires_grad_(False)

    def forward(self, usv: Tensor, reading: Reading) -> Tensor:
        """States of the pieces in the seats, as the text tower's: [memories, 64, 816].

        `usv` float32 [memories, 16, 256], `reading` of it. Seats that are empty are zero.
        """
        used = int(reading.taken.any(0).nonzero().max()) + 1 if reading.taken.any() else 1
        taken, numbers = reading.taken[:, :used], reading.part_numbers()[:, :used]
        words = F.embedding(reading.pieces[:, :used], self._space.tower.words)
        marks = self._marks(reading)[:, :used]
        slots = torch.einsum("msw,kwe->mkse", usv, self.slot).flatten(1, 2)[:, :used]
        seats = slots + self.word(words) + self.mark(marks) + self.place[_places(numbers)]
        apart = numbers.unsqueeze(1) != numbers.unsqueeze(2)  # empty seats see one another
        hidden = self.out(self.blocks(seats, apart.repeat_interleave(HEADS, dim=0)))
        states = torch.cat([words, hidden, marks], dim=-1) * taken.unsqueeze(-1)
        return F.pad(states, (0, 0, 0, PLACES - used))

    def states(self, usv: Tensor, reading: Reading) -> Tensor:
        """As those of `SeatMerger`, with what the tower said of the pieces together."""
        states: Tensor = self(usv, reading)
        return states


def seats_needed(parts: Sequence[int]) -> int:
    """How many seats parts of so many word pieces take, one empty between two."""
    return sum(parts) + max(0, len(parts) - 1)


def seated(states: Tensor, reading: Reading) -> tuple[Tensor, Tensor]:
    """States of memories one after another, an empty seat between two parts: [seats, 816].

    And bool [seats], where a piece is. Raises MergeError if there are more than 64.
    """
    numbers = reading.part_numbers()
    rows = [
        memory[own == part]
        for memory, own in zip(states, numbers, strict=True)
        for part in range(int(own.max()) + 1)
    ]
    needed = seats_needed([len(row) for row in rows])
    if not 0 < needed <= PLACES:
        raise MergeError(
            f"{len(states)} memories of {sum(map(len, rows))} word pieces in {len(rows)} parts need"
            f" {needed} seats, one has {PLACES}; remedy: merge fewer"
        )
    whole = states.new_zeros(needed, CONTEXT_WIDTH)
    mask = torch.zeros(needed, dtype=torch.bool, device=states.device)
    start = 0
    for row in rows:
        whole[start : start + len(row)] = row
        mask[start : start + len(row)] = True
        start += len(row) + 1
    return whole, mask


def _places(numbers: Tensor) -> Tensor:
    """Where in its part each seat is, 0 for an empty one: int64 [memories, 64]."""
    seat = torch.arange(numbers.shape[1], device=numbers.device).expand_as(numbers)
    begins = (numbers != F.pad(numbers, (1, 0), value=-1)[:, :-1]) & (numbers >= 0)
    first = torch.where(begins, seat, 0).cummax(1).values
    return torch.where(numbers >= 0, seat - first, 0)
