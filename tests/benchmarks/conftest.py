"""Answerers of stand-ins for the trained parts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stand_ins import Knowing, answerer_of

from universal_memory.benchmarks import recall
from universal_memory.memory.store import MemoryStore
from universal_memory.runtime.language_model import LanguageModel


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MemoryStore]:
    with MemoryStore(tmp_path / "store") as opened:
        yield opened


@pytest.fixture
def knowing(monkeypatch: pytest.MonkeyPatch) -> Knowing:
    known = Knowing()
    monkeypatch.setattr(recall, "decode", known.decode)
    return known


@pytest.fixture
def answerer(store: MemoryStore, knowing: Knowing) -> Any:
    """An answerer that says what `knowing` says."""
    return answerer_of(store, knowing)


@pytest.fixture
def tiny_answerer(store: MemoryStore, language_model: LanguageModel) -> Any:
    """An answerer over a real decoder, tiny and random."""
    return answerer_of(store, language_model)
