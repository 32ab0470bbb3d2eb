"""The pointer: which words of a memory a question asks for.

A memory may tell of two people, two deeds and two times. Its adapter holds them all, and the state
of a small language model at the end of a question is a poor key to the right one. So before the
adapter is put on, the word pieces of the question and those in the seats of the memory are looked
at together, as in reading comprehension (pointer networks, Vinyals et al. 2015; spans, Devlin et
al. 2019), and the words that are not asked for are nearly shut (`routing.gates.WordGates`). No text
and no language model is in it; what is said still comes through the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.resources import models_dir
from universal_memory.routing.question import MAX_PIECES
from universal_memory.routing.reranker import FAR, LIKE, NONE, likeness, padded
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.weights import load_weights

WEIGHTS = Path("pointer") / "pointer.safetensors"
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


class Pointer(nn.Module):
    """Log-odds that the words of memories are asked for.

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
        self.out = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 1))

    @classmethod
    def over(cls, space: SemanticSpace) -> Pointer:
        """An untrained one for the pieces of a space."""
        return cls(space.tower.words)

    @classmethod
    def load(cls, space: SemanticSpace, folder: Path | None = None) -> Pointer:
        """The one trained over a space.

        Raises FileNotFoundError or WeightsError with the remedy, for another space too.
        """
        pointer = cls.over(space)
        load_weights((folder or models_dir()) / WEIGHTS, pointer, space.space_id)
        return pointer.eval().requires_grad_(False)

    def forward(self, questions: Tensor, memories: Tensor) -> Tensor:
        """Log-odds [pairs, pieces of the memories], FAR at padding.

        `questions`, `memories`: int64 [pairs, pieces] each, padded with NONE.
        """
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
        logits = self.out(states[:, asked:-1]).squeeze(-1).float()
        return logits.masked_fill(~there[:, asked:-1], FAR)

    @torch.inference_mode()
    def asked_for(
        self, question: Sequence[int], memories: Sequence[Sequence[int]]
    ) -> list[list[float]]:
        """Of every word piece of some memories: log-odds that a question asks for it."""
        if not memories:
            return []
        asked = padded([question[:MAX_PIECES]]).expand(len(memories), -1)
        held = [pieces[: SEATS * SLOTS] for pieces in memories]
        found = self(asked, padded(held)).tolist()
        return [row[: len(pieces)] for row, pieces in zip(found, held, strict=True)]

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
