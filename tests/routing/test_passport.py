"""Passports: unit norm, of what the reader finds in a memory, stable on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from universal_memory.routing.passport import ROUTER_WEIGHTS, WEIGHTS, PassportEncoder
from universal_memory.routing.pieces import Lists
from universal_memory.routing.question import QuestionEncoder
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import WeightsError, save_weights

CARD = {"space_id": "s"}
TEXTS = [
    "Anna said: I left the blue umbrella in the pantry.",
    "Room 274 is closed on Monday.",
    "Room 472 is closed on Monday.",
]


@pytest.fixture(scope="module")
def space(tower: TextTower) -> SemanticSpace:
    torch.manual_seed(0)
    return SemanticSpace(tower, UniversalEncoder(blocks=1), "s")


@pytest.fixture(scope="module")
def questions() -> QuestionEncoder:
    torch.manual_seed(0)
    return QuestionEncoder().requires_grad_(False)


@pytest.fixture(scope="module")
def encoder(space: SemanticSpace, questions: QuestionEncoder) -> PassportEncoder:
    return PassportEncoder(space.reader, questions.pieces).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def usv(space: SemanticSpace) -> NDArray[np.float32]:
    return space.encode(TEXTS)


def test_passports_have_unit_norm(encoder: PassportEncoder, usv: NDArray[np.float32]) -> None:
    passports = encoder.passports(usv)
    assert (passports.shape, passports.dtype) == ((3, 1024), np.float32)
    np.testing.assert_allclose(np.linalg.norm(passports, axis=1), 1.0, atol=1e-5)
    assert encoder.passports(usv[:0]).shape == (0, 1024)


def test_passports_are_of_what_is_read(
    encoder: PassportEncoder, usv: NDArray[np.float32], space: SemanticSpace
) -> None:
    read = space.reader.word_pieces(torch.from_numpy(usv))
    for pieces, text in zip(read, TEXTS, strict=True):  # an untrained reader reads on after the end
        expected = [*space.tower.token_ids(text)]
        assert pieces[: len(expected)] == expected
    expected_passports = encoder.of_pieces(Lists.of(read)).numpy()
    np.testing.assert_allclose(encoder.passports(usv), expected_passports, atol=1e-5)


def test_a_memory_in_which_nothing_can_be_read_has_a_passport(encoder: PassportEncoder) -> None:
    passport = encoder.passports(np.zeros((1, 16, 256), np.float32))
    assert np.isfinite(passport).all()


def test_order_matters(encoder: PassportEncoder, usv: NDArray[np.float32]) -> None:
    _, one, other = encoder.passports(usv)
    assert one @ other < 0.9999


def test_alone_as_in_a_batch(encoder: PassportEncoder, usv: NDArray[np.float32]) -> None:
    np.testing.assert_allclose(encoder.passports(usv)[1], encoder.passports(usv[1:2])[0], atol=1e-5)


def test_saved_one_comes_back(
    encoder: PassportEncoder,
    questions: QuestionEncoder,
    space: SemanticSpace,
    usv: NDArray[np.float32],
    tmp_path: Path,
) -> None:
    save_weights(tmp_path / WEIGHTS, encoder, CARD)
    save_weights(tmp_path / ROUTER_WEIGHTS, questions, CARD)
    loaded = PassportEncoder.load(space, tmp_path)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert loaded.passports(usv)[0] @ encoder.passports(usv)[0] > 0.9999


def test_missing_or_foreign_weights_are_refused(
    questions: QuestionEncoder, space: SemanticSpace, tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=r"router\.safetensors; remedy"):
        PassportEncoder.load(space, tmp_path)
    save_weights(tmp_path / ROUTER_WEIGHTS, questions, CARD)
    with pytest.raises(FileNotFoundError, match=r"passport\.safetensors; remedy"):
        PassportEncoder.load(space, tmp_path)
    save_weights(tmp_path / WEIGHTS, torch.nn.Linear(2, 2), CARD)
    with pytest.raises(WeightsError, match="do not fit PassportEncoder"):
        PassportEncoder.load(space, tmp_path)


def test_weights_of_another_space_are_refused(
    questions: QuestionEncoder, space: SemanticSpace, tmp_path: Path
) -> None:
    save_weights(tmp_path / ROUTER_WEIGHTS, questions, {"space_id": "t"})
    with pytest.raises(WeightsError, match=r"over space t, the space here is s; remedy"):
        PassportEncoder.load(space, tmp_path)
