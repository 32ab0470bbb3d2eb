"""Supersession: whether a later memory says something else of the very thing an earlier one is of.

Two files that contradict each other are near-duplicates to a passport, and so are two that say the
same of different people. So the word pieces that the space's reader finds in both USVs meet piece
by piece, as a question meets a memory in the reranker, but each way: what is the same on both
sides is what they are about, what differs is what they say of it. No text, no language model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.resources import models_dir
from universal_memory.routing.reranker import (
    LIKE,
    Meeting,
    PieceContext,
    Sequences,
    likeness,
    padded,
)
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.weights import load_weights, read_card

WEIGHTS = Path("router") / "supersession.safetensors"
WIDTH, HEADS, LAYERS = 96, 4, 3
FAR = -1e4
THRESHOLD = 0.5  # where a card has none
_BATCH = 256


class Supersession(nn.Module):
    """Log-odds that later memories contradict earlier ones, from the word pieces of both.

    `words`: float32 [vocabulary, any], what word pieces mean: the text tower's word embeddings,
    which belong to the space and are no part of the weights.
    """

    def __init__(
        self, words: Tensor, width: int = WIDTH, heads: int = HEADS, layers: int = LAYERS
    ) -> None:
        super().__init__()
        table = F.layer_norm(words.detach().float(), (words.shape[1],))
        self._shared = (table,)  # in a tuple: no buffer of this one
        self.pieces = PieceContext(width, SEATS * SLOTS, row=words.shape[1])
        self.likeness = nn.Linear(LIKE, width)
        self.side = nn.Parameter(0.1 * torch.randn(2, width))  # later, earlier
        self.layers = nn.ModuleList(Meeting(width, heads) for _ in range(layers))
        self.need = nn.Linear(width, 1)
        self.judge = nn.Sequential(
            nn.LayerNorm(4 * width), nn.Linear(4 * width, width), nn.GELU(), nn.Linear(width, 1)
        )

    def forward(self, later: Tensor, earlier: Tensor) -> Tensor:
        """Log-odds [pairs]; both int64 [pairs, pieces], padded with NONE."""
        sides = [self.pieces(self._shared[0], ids) for ids in (later, earlier)]
        like = likeness(later, earlier)
        likes = [like, like.transpose(1, 2)]
        states = [
            side.spread(side.states + own) + self.likeness(alike.amax(2))
            for side, own, alike in zip(sides, self.side, likes, strict=True)
        ]
        for layer in self.layers:
            held = [
                Sequences(state[side.there], side.place, side.there)
                for state, side in zip(states, sides, strict=True)
            ]
            states = [
                layer(state, other, alike)
                for state, other, alike in zip(states, reversed(held), likes, strict=True)
            ]
        found = [self._pooled(state, side.there) for state, side in zip(states, sides, strict=True)]
        logits: Tensor = self.judge(torch.cat(found, dim=-1)).float().squeeze(-1)
        return logits

    def _pooled(self, states: Tensor, there: Tensor) -> Tensor:
        """The pieces that matter and the mean of all: [pairs, 2 width]."""
        taken = there.unsqueeze(-1)
        need = self.need(states).float().masked_fill(~taken, FAR).softmax(1).to(states.dtype)
        mean = (states * taken).sum(1) / taken.sum(1).clamp(min=1)
        return torch.cat([(need * states).sum(1), mean], dim=-1)


@dataclass(frozen=True)
class SupersessionJudge:
    """The trained network with its threshold: a probability from which on a mark is made."""

    network: Supersession
    threshold: float = THRESHOLD

    @classmethod
    def load(cls, space: SemanticSpace, folder: Path | None = None) -> SupersessionJudge:
        """The one trained over a space.

        Raises FileNotFoundError or WeightsError with the remedy, for another space too.
        """
        path = (folder or models_dir()) / WEIGHTS
        network = Supersession(space.tower.words)
        load_weights(path, network, space.space_id)
        network.eval().requires_grad_(False)
        return cls(network, float(read_card(path).get("threshold", THRESHOLD)))

    @torch.inference_mode()
    def probabilities(
        self, later: Sequence[Sequence[int]], earlier: Sequence[Sequence[int]]
    ) -> list[float]:
        """Of pairs of memories, by their word pieces: that the later one supersedes the earlier."""
        found: list[float] = []
        for start in range(0, len(later), _BATCH):
            part = slice(start, start + _BATCH)
            logits = self.network(padded(later[part]), padded(earlier[part]))
            found += [1.0 / (1.0 + math.exp(-logit)) for logit in logits.clamp(-60, 60).tolist()]
        return found
