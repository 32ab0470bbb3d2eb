"""The question encoder: word pieces of a question to the passport space, without a tower.

A question is short and its words decide which memory answers it, so no transformer runs when a
robot is asked. Every word piece counts by a weight of its own, and leaves a trace: the direction
in which a passport points if the piece is in the memory. On one core that takes a fraction of a
millisecond, where the text tower takes nine (docs/decisions.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.routing.pieces import (
    BAG_WIDTH,
    PAIR_WIDTH,
    VOCABULARY,
    WORD_WIDTH,
    Lists,
    PieceNetwork,
    Seen,
)

PASSPORT_WIDTH = 1024
MAX_PIECES = 64  # of a question; what comes after is not looked at
SIZES = 4  # directions in which a passport tells how much the memory holds
EVIDENCE = SIZES + 3


class PassportHead(nn.Module):
    """Bags of pieces [batch, 1536] to unit vectors [batch, 1024]."""

    def __init__(self, hidden: int = 256) -> None:
        super().__init__()
        self.linear = nn.Linear(BAG_WIDTH, PASSPORT_WIDTH)
        last = nn.Linear(hidden, PASSPORT_WIDTH)
        nn.init.normal_(last.weight, std=1e-3)
        self.deep = nn.Sequential(nn.Linear(BAG_WIDTH, hidden), nn.GELU(), last)

    def forward(self, bags: Tensor) -> Tensor:
        """Points in passport space."""
        return F.normalize((self.linear(bags) + self.deep(bags)).float(), dim=-1)


@dataclass(frozen=True)
class Presences:
    """How much speaks for every different piece and pair of questions being in memories.

    `words` [pieces, memories], `pairs` [pairs, memories], `sizes` [memories, 4]: how much each
    memory holds.
    """

    words: Tensor
    pairs: Tensor
    sizes: Tensor


class Verifier(nn.Module):
    """Log-odds that a memory answers a question, from its passport.

    A cosine forgives a missing name if all other words are there, and is small where the memory
    holds five facts more. So every piece and pair of the question is looked for in the passport by
    its own trace, and what that says is added up like evidence.
    """

    def __init__(self, hidden: int = 32) -> None:
        super().__init__()
        self.word_trace = nn.Linear(WORD_WIDTH, PASSPORT_WIDTH, bias=False)
        self.pair_trace = nn.Linear(PAIR_WIDTH, PASSPORT_WIDTH, bias=False)
        self.sizes = nn.Linear(PASSPORT_WIDTH, SIZES)
        self.word = _evidence(hidden)
        self.pair = _evidence(hidden)
        self.whole = nn.Sequential(nn.Linear(SIZES + 1, hidden), nn.GELU(), nn.Linear(hidden, 1))

    def presences(self, seen: Seen, passports: Tensor) -> Presences:
        """Of the pieces and pairs of questions in memories, by their passports [memories, 1024]."""
        sizes = self.sizes(passports).float()
        words = (self.word_trace(seen.words) @ passports.T).float()
        pairs = (self.pair_trace(seen.pairs) @ passports.T).float()
        # In a full memory every piece is faint: its own gain and threshold make up for that.
        gain, threshold = sizes[:, 0].exp(), sizes[:, 1]
        return Presences(words * gain + threshold, pairs * gain + threshold, sizes)

    def forward(
        self, words: Tensor, pairs: Tensor, owners: tuple[Tensor, Tensor], memory: Tensor
    ) -> Tensor:
        """Log-odds [questions, candidates].

        `words`, `pairs`: what speaks for the questions' pieces and pairs being in the candidates,
        and how much each is needed: [pieces or pairs, candidates, 2]. `owners`: which question they
        are of. `memory` [questions, candidates, 5]: size of the candidates, and cosine.
        """
        logits = self.whole(memory).squeeze(-1).float()
        for found, owner, judge in zip((words, pairs), owners, (self.word, self.pair), strict=True):
            evidence = judge(torch.cat([found, memory[owner]], dim=-1)).squeeze(-1).float()
            logits = logits.index_add(0, owner, evidence)
        return logits


class QuestionEncoder(nn.Module):
    """Lists of word pieces to the passport space, and the verifier of what is found there.

    `emphasis`: logarithm of what a piece counts in a question; `where` learns to count little.
    `need`: how much it takes that a piece of the question is in the memory.
    """

    def __init__(self, vocabulary: int = VOCABULARY) -> None:
        super().__init__()
        self.pieces = PieceNetwork(vocabulary)
        self.emphasis = nn.Parameter(torch.zeros(vocabulary))
        self.need = nn.Parameter(torch.zeros(vocabulary))
        self.head = PassportHead()
        self.verifier = Verifier()

    def forward(self, questions: Lists) -> Tensor:
        """Points in passport space: [questions, 1024] of unit norm."""
        return self.points(self.pieces(questions))

    def points(self, seen: Seen) -> Tensor:
        """The same of what the network has seen already."""
        return self.head(seen.bags(self.emphasis[seen.lists.ids].exp()))

    def logits(self, seen: Seen, presences: Presences, cosines: Tensor, chosen: Tensor) -> Tensor:
        """Log-odds that candidates answer: [questions, candidates].

        `presences` in, and `cosines` [questions, memories] to, the passports of which `chosen`
        int64 [questions, candidates] are rows.
        """
        need = self.need[seen.lists.ids]
        word_owner = seen.lists.owners()
        pair_owner = word_owner[seen.left]
        words = presences.words[seen.word_of].gather(1, chosen[word_owner])
        pairs = presences.pairs[seen.pair_of].gather(1, chosen[pair_owner])
        both = (need[seen.left] + need[seen.left + 1]) / 2
        memory = [presences.sizes[chosen], 4.0 * cosines.gather(1, chosen).unsqueeze(-1)]
        return self.verifier(
            _beside(words, need), _beside(pairs, both), (word_owner, pair_owner),
            torch.cat(memory, dim=-1),
        )  # fmt: skip


def _beside(presence: Tensor, need: Tensor) -> Tensor:
    return torch.stack([presence, need.unsqueeze(1).expand_as(presence)], dim=-1)


def _evidence(hidden: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(EVIDENCE, hidden), nn.GELU(), nn.Linear(hidden, 1))
