"""Passports: unit norm, of the memory's content and order, stable on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from universal_memory.routing.passport import WEIGHTS, PassportEncoder
from universal_memory.weights import WeightsError, save_weights

CARD = {"space_id": "s"}


@pytest.fixture(scope="module")
def encoder() -> PassportEncoder:
    torch.manual_seed(0)
    return PassportEncoder().eval().requires_grad_(False)


def usvs(count: int) -> NDArray[np.float32]:
    return np.random.default_rng(4).normal(size=(count, 16, 256)).astype(np.float32)


def test_passports_have_unit_norm(encoder: PassportEncoder) -> None:
    passports = encoder.passports(usvs(3))
    assert (passports.shape, passports.dtype) == ((3, 1024), np.float32)
    np.testing.assert_allclose(np.linalg.norm(passports, axis=1), 1.0, atol=1e-5)


def test_memories_are_told_apart(encoder: PassportEncoder) -> None:
    first, second = encoder.passports(usvs(2))
    assert first @ second < 0.9


def test_order_of_the_slots_matters(encoder: PassportEncoder) -> None:
    usv = usvs(1)
    straight, turned = (encoder.passports(one)[0] for one in (usv, usv[:, ::-1]))
    assert straight @ turned < 0.999


def test_alone_as_in_a_batch(encoder: PassportEncoder) -> None:
    usv = usvs(3)
    np.testing.assert_allclose(encoder.passports(usv)[1], encoder.passports(usv[1:2])[0], atol=1e-6)


def test_saved_one_comes_back(encoder: PassportEncoder, tmp_path: Path) -> None:
    save_weights(tmp_path / WEIGHTS, encoder, CARD)
    loaded = PassportEncoder.load("s", tmp_path)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    usv = usvs(1)
    assert loaded.passports(usv)[0] @ encoder.passports(usv)[0] > 0.9999


def test_missing_or_foreign_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"passport\.safetensors; remedy"):
        PassportEncoder.load("s", tmp_path)
    save_weights(tmp_path / WEIGHTS, torch.nn.Linear(2, 2), CARD)
    with pytest.raises(WeightsError, match="do not fit PassportEncoder"):
        PassportEncoder.load("s", tmp_path)


def test_weights_of_another_space_are_refused(encoder: PassportEncoder, tmp_path: Path) -> None:
    save_weights(tmp_path / WEIGHTS, encoder, CARD)
    with pytest.raises(WeightsError, match=r"over space s, the space here is t; remedy"):
        PassportEncoder.load("t", tmp_path)
