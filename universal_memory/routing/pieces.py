"""Word pieces as routing sees them: a row in a table, alone and with the piece that follows.

Questions and passports look the same pieces up in the same table, so a word that no training text
held meets itself: its row is as good as any. Pairs tell names of two pieces and numbers apart that
are made of the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

VOCABULARY = 30_522  # word pieces of the text tower
ROW = 256
PAIR_WIDTH = 512
WORD_WIDTH = 1024
BAG_WIDTH = WORD_WIDTH + PAIR_WIDTH


@dataclass(frozen=True)
class Lists:
    """Lists of word pieces, one after another: ids int64 [total], where each starts [lists]."""

    ids: Tensor
    starts: Tensor

    @classmethod
    def of(cls, lists: Sequence[Sequence[int]]) -> Lists:
        """From Python lists, none of them empty."""
        lengths = torch.tensor([0, *map(len, lists)])
        if len(lists) and not int(lengths[1:].min()):
            raise ValueError("a list of word pieces is empty: give it at least one")
        flat = [piece for pieces in lists for piece in pieces]
        return cls(torch.tensor(flat, dtype=torch.int64), lengths.cumsum(0)[:-1])

    def owners(self) -> Tensor:
        """Which list each piece is of: int64 [total]."""
        return torch.searchsorted(self.starts, torch.arange(len(self.ids)), right=True) - 1


@dataclass(frozen=True)
class Seen:
    """What the network makes of lists: every different piece and pair once.

    `words` [different pieces, 1024], `word_of` int64 [total]; `pairs` [different pairs, 512],
    `pair_of` int64 [pairs in the lists], `left` int64: where in the lists a pair's first piece is.
    """

    lists: Lists
    words: Tensor
    word_of: Tensor
    pairs: Tensor
    pair_of: Tensor
    left: Tensor

    def pair_weights(self, weights: Tensor) -> Tensor:
        """A pair counts the geometric mean of its two pieces, whose weights are given."""
        return (weights[self.left] * weights[self.left + 1]).sqrt()

    def bags(self, weights: Tensor) -> Tensor:
        """Weighted sums of words and of pairs, together of length 32: float32 [lists, 1536]."""
        starts = self.lists.starts
        words = F.embedding_bag(
            self.word_of, self.words, starts, mode="sum", per_sample_weights=weights
        )
        pairs = F.embedding_bag(
            self.pair_of,
            self.pairs,
            torch.searchsorted(self.left, starts),
            mode="sum",
            per_sample_weights=self.pair_weights(weights),
        )
        return F.normalize(torch.cat([words, pairs], dim=1), dim=1) * 32.0


class PieceNetwork(nn.Module):
    """The table of word pieces and the two layers that look at a row and at a pair of rows."""

    def __init__(self, vocabulary: int = VOCABULARY) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.randn(vocabulary, ROW))
        self.own = nn.Linear(ROW, WORD_WIDTH)
        self.first = nn.Linear(ROW, PAIR_WIDTH)
        self.second = nn.Linear(ROW, PAIR_WIDTH, bias=False)

    def forward(self, lists: Lists) -> Seen:
        """Every different piece and pair of the lists; of one list, simply every one."""
        if len(lists.starts) == 1:
            return self._alone(lists)
        pieces, word_of = lists.ids.unique(return_inverse=True)
        rows = self.table[pieces]
        ends = torch.zeros(len(lists.ids) + 1, dtype=torch.bool)
        ends[lists.starts] = True
        ends[-1] = True
        left = (~ends[1:]).nonzero().squeeze(1)
        pairs, pair_of = (word_of[left] * len(pieces) + word_of[left + 1]).unique(
            return_inverse=True
        )
        first = self.first(rows)[pairs // len(pieces)]
        second = self.second(rows)[pairs % len(pieces)]
        words = F.gelu(self.own(rows)).float()
        return Seen(lists, words, word_of, F.gelu(first + second).float(), pair_of, left)

    def _alone(self, lists: Lists) -> Seen:
        """A question that is asked: looking for repetitions would take longer than they do."""
        rows = self.table[lists.ids]
        place = torch.arange(len(rows))
        words = F.gelu(self.own(rows)).float()
        pairs = F.gelu(self.first(rows[:-1]) + self.second(rows[1:])).float()
        return Seen(lists, words, place, pairs, place[:-1], place[:-1])

    @torch.no_grad()
    def start_from_words(self, embeddings: Tensor) -> None:
        """Half of a row a random code, half what the word means.

        `embeddings`: float32 [pieces, 384], the text tower's word embeddings; their principal
        components are taken.
        """
        words = F.layer_norm(embeddings, (embeddings.shape[1],))
        words = words - words.mean(0)
        _, _, basis = torch.linalg.svd(words, full_matrices=False)
        meanings = words @ basis[: ROW // 2].T
        self.table.normal_()
        self.table[:, ROW // 2 :] = 0.7 * meanings / meanings.std()
