"""Fiducial markers and QR codes: landmarks whose names the site knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Gray = NDArray[np.uint8]
LONGEST_PAYLOAD = 80


class MarkerReader:
    """
    Names of the ArUco or AprilTag markers and payloads of the QR codes in view.

    `names` says what a marker id stands for; an unknown id reads `marker 12`. `dictionary` is an
    OpenCV name such as DICT_4X4_50 or DICT_APRILTAG_36h11. Works with OpenCV 4.5 to 5.
    """

    def __init__(
        self, names: Mapping[int, str] | None = None, dictionary: str = "DICT_4X4_50"
    ) -> None:
        known = [name for name in dir(cv2.aruco) if name.startswith("DICT_")]
        if dictionary not in known:
            raise ValueError(f"no ArUco dictionary {dictionary!r}: use one of {', '.join(known)}")
        self._names = dict(names or {})
        self._detect = _detector(dictionary)
        self._codes = cv2.QRCodeDetector()

    def __call__(self, gray: Gray) -> list[str]:
        """Return the names seen in a grey image (uint8 [H, W]): markers by id, then payloads."""
        names = [
            self._names.get(marker, f"marker {marker}") for marker in sorted(self._detect(gray))
        ]
        names += self._payloads(gray)
        return list(dict.fromkeys(names))

    def _payloads(self, gray: Gray) -> list[str]:
        try:
            _, payloads, _, _ = self._codes.detectAndDecodeMulti(gray)
        except cv2.error:  # some versions fail on degenerate corners of no code at all
            return []
        return [name for name in map(_printable, sorted(payloads or ())) if name]


def _detector(dictionary: str) -> Callable[[Gray], set[int]]:
    """Return a function grey image → marker ids; the interface changed in OpenCV 4.7."""
    aruco: Any = cv2.aruco
    table = aruco.getPredefinedDictionary(getattr(aruco, dictionary))
    if hasattr(aruco, "ArucoDetector"):
        detect = aruco.ArucoDetector(table, aruco.DetectorParameters()).detectMarkers
    else:
        parameters = aruco.DetectorParameters_create()

        def detect(gray: Gray) -> Any:
            return aruco.detectMarkers(gray, table, parameters=parameters)

    def ids(gray: Gray) -> set[int]:
        found = detect(gray)[1]
        return set() if found is None else {int(marker) for marker in np.ravel(found)}

    return ids


def _printable(payload: str) -> str:
    """Return one bounded line: a code may hold anything."""
    words = "".join(letter if letter.isprintable() else " " for letter in payload).split()
    return " ".join(words)[:LONGEST_PAYLOAD].strip(" .")
