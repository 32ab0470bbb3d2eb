"""Sketches: passports in one bit a dimension, small enough to look at all of a store's.

Signs flipped at random, a Hadamard transform, and of every number only its sign: the share of signs
in which two sketches differ tells the angle between the passports (Charikar 2002). The map is the
same on every machine, and knows nothing of what is stored.
"""

from __future__ import annotations

from functools import cache
from hashlib import shake_256

import faiss  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from universal_memory.memory.file import PASSPORT_SHAPE

SKETCH_BYTES = PASSPORT_SHAPE[0] // 8
_SIDE = 32  # squared: the width of a passport


def sketches(passports: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Float32 [n, 1024] to uint8 [n, 128]."""
    signs, hadamard, order = _map()
    grids = (passports * signs).reshape(-1, _SIDE, _SIDE)
    spread = (hadamard @ grids @ hadamard).reshape(passports.shape)
    return np.packbits(spread.take(order, axis=1) > 0, axis=1)


def nearest(
    sketch: NDArray[np.uint8], among: NDArray[np.uint8], count: int
) -> NDArray[np.int64]:
    """The `count` rows of `among` [n, 128] that differ least from a sketch [128]."""
    if not min(count, len(among)):
        return np.zeros(0, np.int64)
    _, rows = faiss.knn_hamming(sketch[None], among, min(count, len(among)))
    return np.asarray(rows[0], np.int64)


@cache
def _map() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Signs [1024], Hadamard matrix [32, 32], order of what comes out [1024]."""
    width = _SIDE * _SIDE
    hadamard = np.ones((1, 1), np.float32)
    while len(hadamard) < _SIDE:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    bits = np.unpackbits(np.frombuffer(shake_256(b"sketch").digest(width // 8), np.uint8))
    signs = 2 * bits.astype(np.float32) - 1
    order = np.frombuffer(shake_256(b"coordinates").digest(8 * width), ">u8").argsort(kind="stable")
    return signs, hadamard, order
