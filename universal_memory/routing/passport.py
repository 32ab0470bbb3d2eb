"""The passport encoder: from what a memory is (its USV) to what it is for (its Neural Passport).

A question is met by the words in it, so a passport is a weighted bag of the word pieces that the
space's own reader finds in the seats of a USV, put through a network that knows what kind of
question they answer. It is read when a memory is compiled, never when a question is asked.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from universal_memory.resources import models_dir
from universal_memory.routing.pieces import Lists, PieceNetwork
from universal_memory.routing.question import PASSPORT_WIDTH, PassportHead, QuestionEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.slot_reader import SlotReader
from universal_memory.weights import load_weights

WEIGHTS = Path("router") / "passport.safetensors"
ROUTER_WEIGHTS = Path("router") / "router.safetensors"
_BATCH = 256


class PassportEncoder(nn.Module):
    """USVs [batch, 16, 256] to Neural Passports [batch, 1024] of unit norm.

    `reader`: the space's. `pieces`: the question encoder's; neither is part of the weights.
    """

    def __init__(self, reader: SlotReader, pieces: PieceNetwork) -> None:
        super().__init__()
        self._shared = (reader, pieces)  # in a tuple: no modules of this one
        self.emphasis = nn.Parameter(torch.zeros(len(pieces.table)))
        self.head = PassportHead()

    @classmethod
    def load(
        cls,
        space: SemanticSpace,
        folder: Path | None = None,
        pieces: PieceNetwork | None = None,
    ) -> PassportEncoder:
        """The one trained over a space.

        `pieces`: of the router trained with it, if that is loaded already.

        Raises FileNotFoundError or WeightsError with the remedy, for another space too.
        """
        root = folder or models_dir()
        if pieces is None:
            questions = QuestionEncoder(len(space.reader.codes))
            load_weights(root / ROUTER_WEIGHTS, questions, space.space_id)
            pieces = questions.pieces
        encoder = cls(space.reader, pieces)
        load_weights(root / WEIGHTS, encoder, space.space_id)
        return encoder.eval().requires_grad_(False)

    def forward(self, usv: Tensor) -> Tensor:
        """Passports of a batch of memories."""
        return self.of_pieces(Lists.of(self._shared[0].word_pieces(usv)))

    def of_pieces(self, memories: Lists) -> Tensor:
        """Passports of memories whose word pieces were read: [memories, 1024]."""
        seen = self._shared[1](memories)
        return self.head(seen.bags(self.emphasis[memories.ids].exp()))

    @torch.inference_mode()
    def passports(self, usv: NDArray[np.float32]) -> NDArray[np.float32]:
        """Passports of USVs in numpy: float32 [batch, 1024]."""
        whole = torch.from_numpy(np.ascontiguousarray(usv))
        parts = [self(part).numpy() for part in whole.split(_BATCH)]
        return np.concatenate(parts) if parts else np.empty((0, PASSPORT_WIDTH), np.float32)
