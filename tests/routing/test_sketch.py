"""Sketches keep cosines, and are the same everywhere."""

from __future__ import annotations

import numpy as np

from universal_memory.routing.sketch import SKETCH_WIDTH, _map, sketches


def test_lengths_and_cosines_stay_about_what_they_were() -> None:
    drawn = np.random.default_rng(0).normal(size=(60, 1024)).astype(np.float32)
    drawn[30:] += drawn[:30]  # some are near each other
    unit = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    made = sketches(unit)
    assert made.shape == (60, SKETCH_WIDTH)
    lengths = np.linalg.norm(made, axis=1)
    assert abs(lengths - 1).max() < 0.2
    cosines = made @ made.T / np.outer(lengths, lengths)
    assert abs(cosines - unit @ unit.T).max() < 0.25
    assert abs(cosines - unit @ unit.T).std() < 0.06


def test_the_map_never_changes() -> None:
    signs = np.sign(_map()).astype(np.int64)
    assert np.array_equal(abs(_map()), np.full((1024, SKETCH_WIDTH), 1 / 16, np.float32))
    assert np.array_equal(signs.T @ signs, 1024 * np.eye(SKETCH_WIDTH, dtype=np.int64))
    weights = np.arange(1, 1024 * SKETCH_WIDTH + 1).reshape(signs.shape) % 10007
    assert int((signs * weights).sum()) == 40659
