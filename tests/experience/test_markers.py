"""Markers and codes: named by the site, bounded when a stranger printed them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from universal_memory.experience.tokenizers.markers import MarkerReader


def scene(*patches: np.ndarray) -> np.ndarray:
    """Return a grey image with the patches side by side, each with a quiet margin."""
    image = np.full((480, 320 * max(len(patches), 1)), 255, dtype=np.uint8)
    for number, patch in enumerate(patches):
        image[80:320, 320 * number + 40 : 320 * number + 280] = cv2.resize(
            patch, (240, 240), interpolation=cv2.INTER_NEAREST
        )
    return image


def marker(number: int, dictionary: str = "DICT_4X4_50") -> np.ndarray:
    table = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, dictionary))
    if hasattr(cv2.aruco, "generateImageMarker"):
        return cv2.aruco.generateImageMarker(table, number, 120)
    return cv2.aruco.drawMarker(table, number, 120)


def code(payload: str) -> np.ndarray:
    return cv2.copyMakeBorder(
        cv2.QRCodeEncoder.create().encode(payload), 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=255
    )


def test_known_markers_have_names_and_unknown_ones_numbers():
    read = MarkerReader({12: "charging dock"})
    assert read(scene(marker(30), marker(12))) == ["charging dock", "marker 30"]
    assert read(scene()) == []


def test_april_tags():
    read = MarkerReader({5: "lift"}, dictionary="DICT_APRILTAG_36h11")
    assert read(scene(marker(5, "DICT_APRILTAG_36h11"))) == ["lift"]


def test_qr_payload_is_one_bounded_line():
    read = MarkerReader()
    assert read(scene(code("medicine cabinet"))) == ["medicine cabinet"]
    (payload,) = read(scene(code("a\nb\t" + "c" * 90)))
    assert payload.startswith("a b c") and len(payload) <= 80


def test_noise_and_flat_images_hold_nothing():
    read = MarkerReader()
    noise = np.random.default_rng(0).integers(0, 256, (480, 640), dtype=np.uint8)
    for image in (noise, np.zeros((32, 32), np.uint8), np.full((480, 640), 255, np.uint8)):
        assert read(image) == []


def test_unknown_dictionary_is_refused():
    with pytest.raises(ValueError, match=r"no ArUco dictionary 'DICT_X'.*DICT_4X4_50"):
        MarkerReader(dictionary="DICT_X")


def test_interface_before_opencv_4_7(monkeypatch):
    modern = cv2.aruco.ArucoDetector
    parameters = cv2.aruco.DetectorParameters
    monkeypatch.delattr(cv2.aruco, "ArucoDetector")
    monkeypatch.setattr(cv2.aruco, "DetectorParameters_create", parameters, raising=False)

    def detect(gray, table, parameters):
        return modern(table, parameters).detectMarkers(gray)

    monkeypatch.setattr(cv2.aruco, "detectMarkers", detect, raising=False)
    assert MarkerReader()(scene(marker(7))) == ["marker 7"]
