"""The passport encoder: from what a memory is (its USV) to what it is for (its Neural Passport)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.resources import models_dir
from universal_memory.space.encoder import SLOT_WIDTH, SLOTS
from universal_memory.weights import load_weights

PASSPORT_WIDTH = 1024
WEIGHTS = Path("router") / "passport.safetensors"


class PassportEncoder(nn.Module):
    """USVs [batch, 16, 256] to Neural Passports [batch, 1024] of unit norm."""

    def __init__(self, hidden: int = 512) -> None:
        super().__init__()
        self.slot = nn.Sequential(
            nn.Linear(SLOT_WIDTH, hidden), nn.GELU(), nn.Linear(hidden, PASSPORT_WIDTH)
        )
        self.weight = nn.Linear(SLOT_WIDTH, 1)
        self.whole = nn.Linear(SLOTS * SLOT_WIDTH, PASSPORT_WIDTH)

    @classmethod
    def load(cls, space_id: str, folder: Path | None = None) -> PassportEncoder:
        """The one trained over a space.

        Raises FileNotFoundError or WeightsError with the remedy, for another space too.
        """
        encoder = cls()
        load_weights((folder or models_dir()) / WEIGHTS, encoder, space_id)
        return encoder.eval().requires_grad_(False)

    def forward(self, usv: Tensor) -> Tensor:
        """Passports of a batch of memories."""
        share = torch.sigmoid(self.weight(usv))
        return F.normalize((share * self.slot(usv)).sum(1) + self.whole(usv.flatten(1)), dim=-1)

    @torch.inference_mode()
    def passports(self, usv: NDArray[np.float32]) -> NDArray[np.float32]:
        """Passports of USVs in numpy: float32 [batch, 1024]."""
        return np.asarray(self(torch.from_numpy(np.ascontiguousarray(usv))).numpy())
