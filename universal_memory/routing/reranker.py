"""The reranker: whether a memory answers a question, from the word pieces of both.

A passport says that a name, a colour and a room are in a memory, not which belongs to which. So the
few memories that are likely are looked at themselves: what the space's reader finds in the seats of
their USVs meets the question piece by piece, as a cross-encoder compares two texts (Nogueira and
Cho 2019) and with the late interaction of ColBERT (Khattab and Zaharia 2020): no tower runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.routing.pieces import ROW, PieceNetwork
from universal_memory.routing.question import MAX_PIECES
from universal_memory.space.encoder import SEATS, SLOTS

NONE = -1  # no piece: the padding of a list
THIN = 64  # of a piece's row, as its neighbours see it
SPAN = 2  # neighbours on each side that a piece is seen with
LIKE = 3  # the same piece; and the same before it; and the same behind it
FAR = -1e4


def padded(lists: Sequence[Sequence[int]]) -> Tensor:
    """Lists of word pieces as int64 [lists, longest], NONE behind their ends."""
    rows = [torch.tensor(one, dtype=torch.int64) for one in lists]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=NONE)


@dataclass(frozen=True)
class Sequences:
    """Word pieces in context, without the padding: `states` [pieces, width].

    `place` int64 [pieces]: where in the padded lists they are; `there` bool [lists, longest].
    """

    states: Tensor
    place: Tensor
    there: Tensor

    def spread(self, states: Tensor) -> Tensor:
        """States of the pieces [pieces, any] in their places: [lists, longest, any]."""
        lists, longest = self.there.shape
        room = states.new_zeros(lists * longest, states.shape[1])
        return room.index_copy(0, self.place, states).view(lists, longest, -1)


class PieceContext(nn.Module):
    """Rows of word pieces to states that know their neighbours and their place in the list."""

    def __init__(self, width: int, longest: int, row: int = ROW) -> None:
        super().__init__()
        self.thin = nn.Linear(row, THIN)
        near = (2 * SPAN + 1) * THIN
        self.mix = nn.Sequential(nn.Linear(near, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.place = nn.Parameter(0.1 * torch.randn(longest, width))

    def forward(self, table: Tensor, ids: Tensor) -> Sequences:
        """Of lists int64 [lists, longest], padded with NONE."""
        there = ids != NONE
        place = there.flatten().nonzero().squeeze(1)
        rows = Sequences(self.thin(table[ids[there]]), place, there)
        alone = F.pad(rows.spread(rows.states), (0, 0, SPAN, SPAN))
        longest = ids.shape[1]
        near = torch.cat([alone[:, by : by + longest] for by in range(2 * SPAN + 1)], dim=-1)
        states = self.mix(near[there]) + self.place[place % longest]
        return Sequences(states, place, there)


class Meeting(nn.Module):
    """The pieces of questions attend to those of memories, and to nothing where none fits.

    A piece that is the same counts more, more still if its neighbour is the same too.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.inputs = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)
        self.nothing = nn.Parameter(0.1 * torch.randn(2, heads, width // heads))
        self.like = nn.Parameter(0.5 * torch.randn(heads, LIKE) + torch.tensor([2.0, 1.0, 1.0]))
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, asked: Tensor, memories: Sequences, like: Tensor) -> Tensor:
        """States of the questions' pieces after this layer: [memories, pieces, width].

        `asked`: before it; `like` float32 [memories, pieces, memory's pieces, 3].
        """
        count, pieces, width = asked.shape
        parts = memories.spread(self.inputs(memories.states))
        key, value = parts.view(count, -1, 2, self.heads, width // self.heads).unbind(2)
        query = self.query(self.norm(asked)).view(count, pieces, self.heads, -1)
        query = query / math.sqrt(width // self.heads)
        none_key, none_value = self.nothing.to(query.dtype)
        scores = torch.einsum("mphd,mlhd->mhpl", query, key).float()
        scores = scores + torch.einsum("mplc,hc->mhpl", like, self.like)
        scores = scores.masked_fill(~memories.there[:, None, None], FAR)
        none = torch.einsum("mphd,hd->mhp", query, none_key).float().unsqueeze(-1)
        shares = torch.cat([none, scores], dim=-1).softmax(-1).to(value.dtype)
        met = torch.einsum("mhpl,mlhd->mphd", shares[..., 1:], value)
        met = met + shares[..., :1].transpose(1, 2) * none_value
        asked = asked + self.out(met.reshape(count, pieces, width))
        return asked + self.mlp(asked)


class Reranker(nn.Module):
    """Log-odds that memories answer questions, from their word pieces and what passports said.

    `pieces`: the question encoder's network, whose table is shared and no part of the weights.
    """

    def __init__(
        self, pieces: PieceNetwork, width: int = 96, heads: int = 4, layers: int = 2
    ) -> None:
        super().__init__()
        self._shared = (pieces,)  # in a tuple: no module of this one
        self.questions = PieceContext(width, MAX_PIECES)
        self.memories = PieceContext(width, SEATS * SLOTS)
        self.likeness = nn.Linear(LIKE, width)
        self.layers = nn.ModuleList(Meeting(width, heads) for _ in range(layers))
        self.need = nn.Linear(width, 1)
        self.judge = nn.Sequential(
            nn.LayerNorm(2 * width), nn.Linear(2 * width, width), nn.GELU(), nn.Linear(width, 1)
        )
        self.trust = nn.Parameter(torch.tensor(0.5))  # in what was said from passports

    def forward(self, questions: Tensor, memories: Tensor, verified: Tensor) -> Tensor:
        """Log-odds [questions, memories].

        `questions` int64 [questions, pieces], `memories` int64 [questions, memories, pieces]: word
        pieces, padded with NONE. `verified` [questions, memories]: log-odds from passports.
        """
        table = self._shared[0].table.detach()
        count, among = memories.shape[:2]
        asked = self.questions(table, questions)
        held = self.memories(table, memories.flatten(0, 1))
        there = asked.there.repeat_interleave(among, 0)
        like = likeness(questions.repeat_interleave(among, 0), memories.flatten(0, 1))
        states = asked.spread(asked.states).repeat_interleave(among, 0)
        states = states + self.likeness(like.amax(2))
        for layer in self.layers:
            states = layer(states, held, like)
        need = self.need(states).float().masked_fill(~there.unsqueeze(-1), FAR).softmax(1)
        mean = (states * there.unsqueeze(-1)).sum(1) / there.sum(1, keepdim=True)
        logits = self.judge(torch.cat([(need * states).sum(1), mean], dim=-1)).float()
        return logits.view(count, among) + self.trust * verified


def likeness(asked: Tensor, held: Tensor) -> Tensor:
    """Which pieces are the same, and with their neighbours: float32 [memories, asked, held, 3]."""
    same = (asked.unsqueeze(2) == held.unsqueeze(1)) & (held != NONE).unsqueeze(1)
    before, behind = F.pad(same, (1, -1, 1, -1)), F.pad(same, (-1, 1, -1, 1))
    return torch.stack([same, same & before, same & behind], dim=-1).float()
