"""The Shared Semantic Space in use: text in, Universal Semantic Vectors out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from universal_memory.resources import models_dir
from universal_memory.space.encoder import SLOT_WIDTH, SLOTS, UniversalEncoder
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import digest, load_weights, read_card

WEIGHTS = Path("space") / "encoder.safetensors"
READER_WEIGHTS = Path("space") / "reader.safetensors"


def id_suffix(encoder: UniversalEncoder, reader: SlotReader) -> str:
    """How the id of a space ends: eight digits of the digest of its weights (docs/protocol.md)."""
    return digest(nn.ModuleList([encoder, reader]))[:8]


class SemanticSpace:
    """A frozen encoder over a frozen text tower, and the reader of what it writes.

    `space_id` names the space; files of another space are refused. `slot_norm_bounds`: L2 norms a
    slot may have (layer-normed slots have about 16).
    """

    slot_norm_bounds = (8.0, 24.0)

    def __init__(
        self,
        tower: TextTower,
        encoder: UniversalEncoder,
        space_id: str,
        reader: SlotReader | None = None,
    ) -> None:
        self.tower = tower
        self.encoder = encoder.eval().requires_grad_(False)
        reader = reader or SlotReader(tower.codes.codes, encoder.seating)
        self.reader = reader.eval().requires_grad_(False)
        self.space_id = space_id

    @classmethod
    def load(cls, folder: Path | None = None, device: str = "cpu") -> SemanticSpace:
        """The space of the models folder. Raises FileNotFoundError with the remedy."""
        path = (folder or models_dir()) / WEIGHTS
        encoder = UniversalEncoder()
        load_weights(path, encoder)
        tower = TextTower(device=device)
        reader = SlotReader(tower.codes.codes)
        space_id = str(read_card(path)["space_id"])
        load_weights((folder or models_dir()) / READER_WEIGHTS, reader, space_id)
        return cls(tower, encoder.to(device), space_id, reader.to(device))

    @torch.inference_mode()
    def encode(self, texts: list[str]) -> NDArray[np.float32]:
        """USVs of `texts`: float32 [texts, 16, 256]. Raises ValueError for an empty text."""
        if not texts:
            return np.empty((0, SLOTS, SLOT_WIDTH), np.float32)
        for text in texts:
            if not text.strip():
                raise ValueError(f"nothing to encode in {text!r}: leave empty texts out")
        states = self.tower(texts)
        return np.asarray(self.encoder(states.states, states.mask).float().cpu().numpy())
