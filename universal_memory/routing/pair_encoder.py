"""Word pieces of questions and of memories, each in the light of all others of both.

A cross-encoder (Nogueira and Cho 2019) over what the space's reader finds in the seats of a USV: no
text and no language model is in it. That a piece is the same on both sides is told outright, as in
the late interaction of ColBERT (Khattab and Zaharia 2020): words of no training text are known by
that.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.routing.question import MAX_PIECES
from universal_memory.routing.reranker import FAR, LIKE, NONE, likeness
from universal_memory.space.encoder import SEATS, SLOTS

WIDTH, HEADS, BLOCKS = 192, 6, 4
NEAR = 64  # of a piece, as the pieces beside it see it


class Block(nn.Module):
    """Attention among all pieces, and what follows (pre-norm).

    Written out: backwards on a CPU the fused attention of PyTorch 2.13 takes half of a step.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.inputs = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, states: Tensor, far: Tensor) -> Tensor:
        """States [pairs, pieces, width]; `far` [pairs, 1, 1, pieces] is FAR at padding."""
        pairs, pieces, width = states.shape
        parts = self.inputs(self.norm(states)).view(pairs, pieces, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        scores = (query * query.shape[-1] ** -0.5) @ key.mT + far.to(query.dtype)
        met = scores.softmax(-1).to(value.dtype) @ value
        states = states + self.out(met.transpose(1, 2).reshape(pairs, pieces, width))
        return states + self.mlp(states)


@dataclass(frozen=True)
class PairStates:
    """States of the pieces of pairs: [pairs, pieces, width]; `there` bool [pairs, pieces].

    The questions' pieces stand before `held`, the memories' from there on.
    """

    states: Tensor
    there: Tensor
    held: int


class PairEncoder(nn.Module):
    """Questions and memories, piece by piece.

    `words`: float32 [vocabulary, any], what word pieces mean: the text tower's word embeddings,
    which belong to the space and are no part of the weights.
    """

    def __init__(
        self, words: Tensor, width: int = WIDTH, heads: int = HEADS, blocks: int = BLOCKS
    ) -> None:
        super().__init__()
        table = F.layer_norm(words.detach().float(), (words.shape[1],))
        self._shared = (table,)  # in a tuple: no buffer of this one
        self.own = nn.Linear(words.shape[1], width)
        self.near = nn.Linear(words.shape[1], 2 * NEAR)
        self.mix = nn.Linear(2 * NEAR, width)
        self.asked_place = nn.Parameter(0.3 * torch.randn(MAX_PIECES, width))
        self.held_place = nn.Parameter(0.3 * torch.randn(SEATS * SLOTS, width))
        self.likeness = nn.Linear(2 * LIKE, width)
        self.link = nn.Linear(width, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))

    def encode(self, questions: Tensor, memories: Tensor) -> PairStates:
        """`questions`, `memories`: int64 [pairs, pieces] each, padded with NONE."""
        # Room behind both: nothing stands beside a last piece, however long the others are.
        ids = torch.cat([F.pad(one, (0, 1), value=NONE) for one in (questions, memories)], dim=1)
        asked = questions.shape[1] + 1
        there = ids != NONE
        rows = self._shared[0][ids.clamp(min=0)] * there.unsqueeze(-1)
        before, behind = self.near(rows).chunk(2, dim=-1)
        beside = [F.pad(before, (0, 0, 1, -1)), F.pad(behind, (0, 0, -1, 1))]
        places = torch.cat(
            [
                F.pad(table[: one.shape[1]], (0, 0, 0, 1))
                for table, one in ((self.asked_place, questions), (self.held_place, memories))
            ]
        )
        states = self.own(rows) + self.mix(torch.cat(beside, dim=-1)) + places
        states = states + self._met(ids, asked, places.to(states.dtype))
        far = FAR * (~there)[:, None, None]
        for block in self.blocks:
            states = block(states, far)
        return PairStates(states, there, asked)

    def _met(self, ids: Tensor, asked: int, places: Tensor) -> Tensor:
        """What every piece knows of the pieces that are the same: [pairs, pieces, width].

        Whether there are any, on the other side and on its own, and where they stand. The fuller a
        likeness (the pieces beside them the same too), the more it counts.
        """
        alone = ~torch.eye(ids.shape[1], dtype=torch.bool, device=ids.device)
        like = likeness(ids, ids).to(places.dtype) * alone.unsqueeze(-1)
        on_asked, on_held = like[:, :, :asked].amax(2), like[:, :, asked:].amax(2)
        other = torch.cat([on_held[:, :asked], on_asked[:, asked:]], dim=1)
        own = torch.cat([on_asked[:, :asked], on_held[:, asked:]], dim=1)
        weight = like.sum(-1).square()
        weight = weight / weight.sum(-1, keepdim=True).clamp(min=1)
        met: Tensor = self.likeness(torch.cat([other, own], dim=-1)) + self.link(weight @ places)
        return met
