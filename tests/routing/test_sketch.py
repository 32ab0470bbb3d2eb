"""Sketches tell angles, are the same everywhere, and are found like all rows compared at once."""

from __future__ import annotations

import hashlib

import numpy as np

from universal_memory.routing.sketch import SKETCH_BYTES, nearest, sketches


def drawn(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 1024)).astype(np.float32)
    vectors[count // 2 :] += vectors[: count // 2]  # some are near each other
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def differing(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.unpackbits(one ^ others, axis=-1).sum(axis=-1, dtype=np.int64)


def test_bits_that_differ_tell_the_angle() -> None:
    unit = drawn(60)
    made = sketches(unit)
    assert (made.shape, made.dtype) == ((60, SKETCH_BYTES), np.uint8)
    angles = np.arccos(np.clip(unit @ unit.T, -1, 1)) / np.pi
    shares = differing(made[:, None], made[None]) / 1024
    assert abs(shares - angles).max() < 0.08 and abs(shares - angles).std() < 0.02
    assert sketches(unit[:0]).shape == (0, SKETCH_BYTES)


def test_the_map_never_changes() -> None:
    numbers = np.arange(3 * 1024, dtype=np.float32).reshape(3, 1024) % 101 - 50
    made = sketches(numbers).tobytes()
    expected = "6946c1444e29c32defe3a6bd123ece6ee01ad1d5539bcbad3abbddd30027865f"
    assert hashlib.sha256(made).hexdigest() == expected


def test_nearest_rows_are_those_of_an_exact_comparison() -> None:
    made, asked = sketches(drawn(400)), sketches(drawn(8, seed=1))
    for sketch in asked:
        distances = differing(sketch, made)
        for count in (1, 50, 400, 1000):
            found = distances[nearest(sketch, made, count)]
            assert found.tolist() == sorted(distances)[:count]
    assert len(nearest(asked[0], made[:0], 5)) == len(nearest(asked[0], made, 0)) == 0
