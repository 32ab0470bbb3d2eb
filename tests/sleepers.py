"""What sleep needs: a tiny space that reads without fault, and files that were experienced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from house import ScatteredPassports

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.record import Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.passport import PassportEncoder
from universal_memory.runtime.consolidation import Consolidator
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.merging import SeatMerger
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower

MINUTE = 60_000_000_000
TEXTS = (
    "The red key is in the drawer.",
    "Ben waters the plants.",
    "It rains in Bristol.",
    "Anna drinks weak tea.",
    "The parcel is behind the lamp.",
    "Tom repairs the pump.",
)


@dataclass(frozen=True)
class Sleeper:
    """A space, its passports, and what merges: random, but it reads what it writes."""

    space: SemanticSpace
    passports: PassportEncoder

    @classmethod
    def of(cls, tower: TextTower) -> Sleeper:
        """Without blocks the encoder seats pieces and does no more."""
        torch.manual_seed(0)
        space = SemanticSpace(tower, UniversalEncoder(blocks=0), "test-space")
        return cls(space, ScatteredPassports(space).eval().requires_grad_(False))

    def consolidator(self, store: MemoryStore) -> Consolidator:
        """Of the exact half alone."""
        return Consolidator(store, self.space, SeatMerger(self.space), self.passports)

    def remember(
        self,
        store: MemoryStore,
        texts: Sequence[str] = TEXTS,
        minutes: float = 1.0,
        **origin: Any,
    ) -> list[str]:
        """A file of each text, so many minutes apart."""
        ids = []
        for number, text in enumerate(texts, 1 + store.next_counter()):
            stamp = int(number * minutes * MINUTE)
            usv = self.space.encode([text])
            file = MemoryFile.create(
                usv[0], self.passports.passports(usv)[0], "test-space", store.next_counter()
            )
            known: dict[str, Any] = {
                "compiled_stamp": stamp + 5, "start_stamp": stamp, "end_stamp": stamp + 2,
                "streams": ("audio",), "text": text,
            }  # fmt: skip
            ids.append(store.add(file, Provenance(**{**known, **origin})))
        return ids
