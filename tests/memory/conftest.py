"""Memories made of seeded random numbers, valid by the rules of UMP/1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.signing import Signer
from universal_memory.memory.store import MemoryStore

Maker = Callable[..., MemoryFile]


@pytest.fixture
def make() -> Maker:
    """make(seed, counter=seed, space_id="test-space/1", signer=None) → a valid MemoryFile."""

    def memory(
        seed: int = 1,
        counter: int | None = None,
        space_id: str = "test-space/1",
        signer: Signer | None = None,
        **changes: Any,
    ) -> MemoryFile:
        random = np.random.default_rng(seed)
        passport = random.normal(size=1024)
        values = {
            "usv": random.normal(size=(16, 256)),
            "passport": passport / np.linalg.norm(passport),
        }
        return MemoryFile.create(
            **(values | changes),
            space_id=space_id,
            counter=seed if counter is None else counter,
            signer=signer,
        )

    return memory


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(tmp_path / "store")
