"""Sketches: passports in a quarter of their dimensions, for walking through a graph of them.

Signs flipped at random, a Hadamard transform, a quarter of the coordinates kept: cosines stay what
they were but for a few hundredths (Ailon and Chazelle 2009). The map is the same on every machine,
and knows nothing of what is stored.
"""

from __future__ import annotations

from functools import cache
from hashlib import shake_256

import numpy as np
from numpy.typing import NDArray

from universal_memory.memory.file import PASSPORT_SHAPE

SKETCH_WIDTH = 256


def sketches(passports: NDArray[np.float32]) -> NDArray[np.float32]:
    """Float32 [..., 1024] to [..., 256]; lengths stay about what they were."""
    return np.asarray(passports @ _map())


@cache
def _map() -> NDArray[np.float32]:
    width = PASSPORT_SHAPE[0]
    hadamard = np.ones((1, 1), np.float32)
    while len(hadamard) < width:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    bits = np.unpackbits(np.frombuffer(shake_256(b"sketch").digest(width // 8), np.uint8))
    signs = 2.0 * bits.astype(np.float32) - 1.0
    order = np.frombuffer(shake_256(b"coordinates").digest(8 * width), ">u8").argsort(kind="stable")
    return np.ascontiguousarray(signs[:, None] * hadamard[:, order[:SKETCH_WIDTH]] / 16.0)
