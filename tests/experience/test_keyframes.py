"""Keyframes: cheap first, the network rarely, and nothing that lasts is missed."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from universal_memory.experience.tokenizers.keyframes import KeyframeGate, change, thumbnail

SECOND = 10**9


def view(seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(small, (640, 480), interpolation=cv2.INTER_LINEAR)


class Camera:
    """Feeds a gate; the 'network' sees the seed of the view and counts how often it is asked."""

    def __init__(self, **keywords) -> None:
        self.gate = KeyframeGate(**keywords)
        self.asked = 0

    def frames(self, image: np.ndarray, start: float, count: int, angle: float = 0.0) -> int:
        def embed() -> np.ndarray:
            self.asked += 1
            return np.array([np.cos(angle), np.sin(angle)], dtype=np.float32)

        stamps = [int((start + number / 30) * SECOND) for number in range(count)]
        return sum(self.gate.is_keyframe(image, stamp, embed) for stamp in stamps)


def test_a_still_camera_asks_the_network_once():
    camera = Camera()
    noise = np.random.default_rng(0).normal(0, 3, (480, 640, 3))
    assert camera.frames(view(1), 0, 300) == 1
    noisy = np.clip(view(1) + noise, 0, 255).astype(np.uint8)
    assert camera.frames(noisy, 10, 300) == 0
    assert camera.asked == 1


def test_brightness_as_a_whole_is_no_change():
    dark = view(1) // 2
    assert change(thumbnail(dark), thumbnail(dark + 60)) == 0
    assert change(thumbnail(dark), thumbnail(view(2) // 2)) > 0.3


def test_another_view_is_a_keyframe_once_it_is_steady():
    camera = Camera()
    camera.frames(view(1), 0, 5)
    assert camera.frames(view(2), 1, 1, angle=1.0) == 0  # the frame of the jump itself
    assert camera.frames(view(2), 1.04, 60, angle=1.0) == 1


def test_a_view_seen_recently_is_not_new():
    camera = Camera(refresh_seconds=100)
    camera.frames(view(1), 0, 5)
    camera.frames(view(2), 1, 5, angle=1.0)
    assert camera.frames(view(1), 2, 30) == 0


def test_a_small_change_that_lasts_is_looked_at():
    camera = Camera(refresh_seconds=10)
    camera.frames(view(1), 0, 5)
    note = view(1).copy()
    note[100:220, 100:300] = 255 - note[100:220, 100:300]
    assert camera.frames(note, 5, 30, angle=0.01) == 0
    note[300:420, 100:300] = 255 - note[300:420, 100:300]
    assert camera.frames(note, 15, 30, angle=0.02) == 1


def test_a_camera_in_motion_is_sampled_and_looked_at_again_when_it_stands():
    camera = Camera(patience_seconds=1.0)
    camera.frames(view(0), 0, 3)
    found = sum(
        camera.frames(view(number), 1 + number / 30, 1, angle=number / 20)
        for number in range(1, 90)
    )
    assert 1 <= found <= 4 and camera.asked <= 6
    last = view(89)
    assert camera.frames(last, 4.1, 30, angle=89 / 20) == 1


def test_a_clock_that_jumps_back_starts_afresh():
    camera = Camera()
    assert camera.frames(view(1), 100, 5) == 1
    assert camera.frames(view(1), 0, 5) == 1


@pytest.mark.parametrize(
    ("keywords", "message"),
    [({"min_change": 2}, "min_change is 2"), ({"patience_seconds": -1}, "patience_seconds -1")],
)
def test_bounds(keywords, message):
    with pytest.raises(ValueError, match=message):
        KeyframeGate(**keywords)
