"""Rare word pieces, which stand for any others in training.

So every piece of the vocabulary learns to meet itself, whether a training text holds it or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import torch
from torch import Tensor

from universal_memory.routing.reranker import NONE

RARE = 0.01  # share of the files up to which a piece is a name rather than wording
FIRST_WORD = 1996  # word pieces before are signs and single letters
SWAPPED = 0.15  # of the rare pieces, at every step
UNREAD = 0.01  # of a file's pieces: readers err


class RarePieces:
    """Of lists of word pieces, those that few of them hold: `ids` int64.

    `frequency` float32 [vocabulary]: share of the lists that hold a piece.
    """

    def __init__(self, files: Sequence[Sequence[int]], vocabulary: int) -> None:
        self.frequency = torch.zeros(vocabulary)
        for pieces in files:
            self.frequency[list(set(pieces))] += 1 / len(files)
        self.ids = ((self.frequency > 0) & (self.frequency < RARE)).nonzero().squeeze(1)

    def swap(self, random: Random, share: float = SWAPPED) -> Tensor:
        """What every piece stands for, int64 [vocabulary]: a share of the rare ones for others."""
        vocabulary = len(self.frequency)
        swap = torch.arange(vocabulary)
        drawn = torch.Generator().manual_seed(random.getrandbits(32))
        swapped = self.ids[torch.rand(len(self.ids), generator=drawn) < share]
        low = min(FIRST_WORD, vocabulary - 1)
        swap[swapped] = torch.randint(low, vocabulary, (len(swapped),), generator=drawn)
        return swap


def swapped(ids: Tensor, swap: Tensor) -> Tensor:
    """Padded lists in which every piece stands for another."""
    return torch.where(ids == NONE, NONE, swap[ids.clamp(min=0)])


def misread(pieces: list[int], random: Random) -> list[int]:
    """The pieces of a file as a reader that errs finds them."""
    if random.random() > UNREAD * len(pieces):
        return pieces
    gone = random.randrange(len(pieces))
    return pieces[:gone] + pieces[gone + 1 :] or pieces
