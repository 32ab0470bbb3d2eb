"""The space in use: texts in, valid and reproducible vectors out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from universal_memory.space import semantic_space
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import READER_WEIGHTS, WEIGHTS, SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import save_weights

TEXTS = ["Anna said: my tea should be weak.", "Sign reads: pharmacy room 12."]


@pytest.fixture(scope="module")
def space(tower: TextTower) -> SemanticSpace:
    torch.manual_seed(0)
    return SemanticSpace(tower, UniversalEncoder(), "test-space")


def test_vectors_keep_the_bounds_of_the_space(space: SemanticSpace) -> None:
    usv = space.encode([*TEXTS, "鍵は棚の上。", "x"])
    assert (usv.shape, usv.dtype) == ((4, 16, 256), np.float32)
    low, high = space.slot_norm_bounds
    norms = np.linalg.norm(usv, axis=-1)
    assert low < norms.min() <= norms.max() < high


def test_same_text_same_bits(space: SemanticSpace) -> None:
    assert np.array_equal(space.encode(TEXTS[:1]), space.encode(TEXTS[:1]))


def test_batch_is_the_single_text(space: SemanticSpace) -> None:
    np.testing.assert_allclose(space.encode(TEXTS)[1], space.encode(TEXTS[1:])[0], atol=1e-3)


def test_texts_differ(space: SemanticSpace) -> None:
    first, second = space.encode(["Anna likes weak tea.", "Anna likes strong tea."])
    assert np.linalg.norm(first - second) > 1.0


def test_nothing_gives_nothing_but_an_empty_text_is_refused(space: SemanticSpace) -> None:
    assert space.encode([]).shape == (0, 16, 256)
    with pytest.raises(ValueError, match="nothing to encode in ' '"):
        space.encode(["tea", " "])


def test_loads_what_was_saved(
    space: SemanticSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(semantic_space, "TextTower", lambda **_: space.tower)
    with pytest.raises(FileNotFoundError, match=r"encoder\.safetensors; remedy"):
        SemanticSpace.load(tmp_path)
    card = {"space_id": "elsewhere"}
    save_weights(tmp_path / WEIGHTS, space.encoder, card)
    with pytest.raises(FileNotFoundError, match=r"reader\.safetensors; remedy"):
        SemanticSpace.load(tmp_path)
    save_weights(tmp_path / READER_WEIGHTS, space.reader, card)
    loaded = SemanticSpace.load(tmp_path)
    assert loaded.space_id == "elsewhere"
    assert not any(parameter.requires_grad for parameter in loaded.encoder.parameters())
    np.testing.assert_allclose(loaded.encode(TEXTS), space.encode(TEXTS), atol=2e-2)
