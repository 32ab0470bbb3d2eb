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

from universal_memory.resources import models_dir
from universal_memory.routing.pair_encoder import BLOCKS, HEADS, WIDTH, PairEncoder
from universal_memory.routing.question import MAX_PIECES
from universal_memory.routing.reranker import FAR, padded
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.weights import load_weights

WEIGHTS = Path("pointer") / "pointer.safetensors"


class Pointer(PairEncoder):
    """Log-odds that the words of memories are asked for."""

    def __init__(
        self, words: Tensor, width: int = WIDTH, heads: int = HEADS, blocks: int = BLOCKS
    ) -> None:
        super().__init__(words, width, heads, blocks)
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
        met = self.encode(questions, memories)
        logits = self.out(met.states[:, met.held : -1]).squeeze(-1).float()
        return logits.masked_fill(~met.there[:, met.held : -1], FAR)

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
