"""Golden vectors: a few fixed texts, their USVs and passports, published with a space.

Who implements an encoder anew, or runs this one on other hardware, compares with them. The file is
a safetensors container with `usv` F32 [texts, 16, 256] and `passport` F32 [texts, 1024]; its
metadata holds the space id and the texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from universal_memory.space.encoder import SLOT_WIDTH, SLOTS
from universal_memory.weights import WeightsError

if TYPE_CHECKING:
    from universal_memory.space.semantic_space import SemanticSpace

PassportsOf = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # of USVs

NAME = "golden.safetensors"
TEXTS = (
    "Anna keeps the spare key in the drawer.",
    "Sign reads: pharmacy, room 274.",
    "Tool set_timer(minutes=12) returned state=ok.",
    "My sister is allergic to peanuts. Her flight LH-903 to Oslo leaves at 7:45 from gate B12.",
)
REMEDY = "remedy: write it with `ump conformance space --write-golden`, when the space is made"


@dataclass(frozen=True)
class GoldenVectors:
    """Texts in the space `space_id`: USVs float32 [texts, 16, 256], passports [texts, 1024]."""

    space_id: str
    texts: tuple[str, ...]
    usv: NDArray[np.float32]
    passport: NDArray[np.float32]

    @classmethod
    def of(cls, space: SemanticSpace, passports: PassportsOf) -> GoldenVectors:
        """What `space` makes of the texts, each encoded alone, and `passports` of that."""
        usv = np.concatenate([space.encode([text]) for text in TEXTS])
        return cls(space.space_id, TEXTS, usv, passports(usv))

    def save(self, path: Path) -> None:
        """Write the file."""
        metadata = {"space_id": self.space_id, "texts": json.dumps(self.texts)}
        tensors = {"usv": self.usv, "passport": self.passport}
        save_file(tensors, str(path), metadata=metadata)

    @classmethod
    def load(cls, path: Path) -> GoldenVectors:
        """Read what `save` wrote. Raises FileNotFoundError or WeightsError with the remedy."""
        if not path.is_file():
            raise FileNotFoundError(f"no golden vectors {path}; {REMEDY}")
        try:
            with safe_open(str(path), framework="numpy") as stream:
                metadata = stream.metadata() or {}
                texts = tuple(json.loads(metadata["texts"]))
                usv, passport = stream.get_tensor("usv"), stream.get_tensor("passport")
                space_id = str(metadata["space_id"])
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise WeightsError(f"{path} holds no golden vectors: {error}; {REMEDY}") from error
        whole = all(isinstance(text, str) and text.strip() for text in texts)
        fits = usv.shape == (len(texts), SLOTS, SLOT_WIDTH) and passport.ndim == 2
        fits = fits and len(passport) == len(texts)
        if not (whole and fits and usv.dtype == passport.dtype == np.float32):
            raise WeightsError(
                f"{path}: {len(texts)} texts, USVs {usv.shape}, passports {passport.shape};"
                f" {REMEDY}"
            )
        return cls(space_id, texts, usv, passport)
