"""Which frames are worth a look: cheap differences first, the network only where they are large."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Vector = NDArray[np.float32]

SECOND = 1_000_000_000
THUMBNAIL = (32, 24)
CELL_CHANGE = 10.0  # levels of any colour that make a cell of the thumbnail another one
NETWORK_INTERVAL = SECOND // 5
REMEMBERED_KEYFRAMES = 8


class KeyframeGate:
    """
    Chooses the keyframes of one stream. A frame becomes one when it passes three gates:

    1. changed: more than `min_change` of the cells of a 32x24 thumbnail differ from the
       last frame looked at. Brightness as a whole does not count. A third of a millisecond.
    2. steady: it resembles the frame before it, because moving cameras blur text; after
       `patience_seconds` without a steady frame an unsteady one will do, and the next steady
       frame is looked at again.
    3. novel: the network's embedding differs by a cosine distance of `min_novelty` from the last
       eight keyframes. A small change that lasts (another note on the same door) is looked at
       after `refresh_seconds`.

    A stamp that jumps back starts afresh.
    """

    def __init__(
        self,
        min_change: float = 0.03,
        min_novelty: float = 0.12,
        patience_seconds: float = 3.0,
        refresh_seconds: float = 10.0,
    ) -> None:
        for name, value in (("min_change", min_change), ("min_novelty", min_novelty)):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value}: it must be in 0..1")
        if patience_seconds < 0 or refresh_seconds < 0:
            raise ValueError(
                f"patience_seconds {patience_seconds} and refresh_seconds {refresh_seconds}"
                " must not be negative"
            )
        self._min_change, self._min_novelty = min_change, min_novelty
        self._patience = int(patience_seconds * SECOND)
        self._refresh = int(refresh_seconds * SECOND)
        self._reset()

    def _reset(self) -> None:
        self._stamp = 0
        self._before: Vector | None = None  # thumbnail of the frame before
        self._looked: Vector | None = None  # thumbnail of the last frame the network saw
        self._looked_at = 0
        self._waiting_since: int | None = None
        self._is_blurred = False  # the last keyframe was taken in motion
        self._keyframes: deque[Vector] = deque(maxlen=REMEMBERED_KEYFRAMES)
        self._keyframe_at = 0

    def is_keyframe(self, image: Image, stamp: int, embed: Callable[[], Vector]) -> bool:
        """Decide on the next frame; `embed` gives its unit embedding, called only if needed."""
        if stamp < self._stamp - SECOND:
            self._reset()
        small = thumbnail(image)
        steady = self._before is None or change(small, self._before) <= 2 * self._min_change
        self._before, self._stamp = small, stamp
        if not self._is_worth_a_look(small, steady, stamp):
            return False
        embedding = embed()
        self._looked, self._looked_at, self._waiting_since = small, stamp, None
        novelty = min((1 - float(old @ embedding) for old in self._keyframes), default=1.0)
        lasting = stamp - self._keyframe_at >= self._refresh
        if novelty < self._min_novelty and not (lasting or (self._is_blurred and steady)):
            return False
        self._is_blurred = not steady
        self._keyframes.append(embedding)
        self._keyframe_at = stamp
        return True

    def _is_worth_a_look(self, small: Vector, steady: bool, stamp: int) -> bool:
        if self._looked is None or (self._is_blurred and steady):
            return True
        if change(small, self._looked) <= self._min_change:
            self._waiting_since = None
            return False
        if self._waiting_since is None:
            self._waiting_since = stamp
        patient = stamp - self._waiting_since < self._patience
        return (steady or not patient) and stamp - self._looked_at >= NETWORK_INTERVAL


def thumbnail(image: Image) -> Vector:
    """Return the image at 32x24 less its mean colour: float32 [24, 32, 3]."""
    small: Vector = cv2.resize(image, THUMBNAIL, interpolation=cv2.INTER_AREA).astype(np.float32)
    return small - small.mean(axis=(0, 1))


def change(one: Vector, other: Vector) -> float:
    """Return the part of the cells that differ, 0..1."""
    return float((np.abs(one - other).max(axis=2) > CELL_CHANGE).mean())
