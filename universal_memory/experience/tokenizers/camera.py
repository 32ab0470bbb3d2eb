"""
Images as events: visual tokens, and as text what is legible or recognisable.

The text has up to three parts: `Sign reads: pharmacy room 12. Marker: charging dock. Camera sees:
coffee mug, laptop.` Only keyframes become events, so a camera at 30 Hz that stands still costs next
to nothing. A keyframe in which nothing can be named still is an event, with tokens and no text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from universal_memory.experience.event import Event, Modality, Pose
from universal_memory.experience.tokenizers.codebook import Codebook, load_labels
from universal_memory.experience.tokenizers.keyframes import KeyframeGate
from universal_memory.experience.tokenizers.markers import MarkerReader
from universal_memory.experience.tokenizers.ocr import TextReader
from universal_memory.experience.tokenizers.visual_network import VisualFeatures, VisualNetwork
from universal_memory.resources import models_dir

Image = NDArray[np.uint8]

SMALLEST_SIDE = 32
MOST_LABELS = 3


class CameraTokenizer:
    """
    Turns frames into events; one instance may serve several streams. Not thread-safe.

    A frame that is no keyframe takes about a third of a millisecond; a keyframe some tenths of a
    second, so call it from a worker. The models are loaded on construction unless others are given.
    """

    def __init__(
        self,
        marker_names: Mapping[int, str] | None = None,
        min_label: float = 0.6,
        models: Path | None = None,
        network: Callable[[Image], VisualFeatures] | None = None,
        codebook: Codebook | None = None,
        labels: Sequence[str] | None = None,
        read_text: Callable[[Image], str] | None = None,
        read_markers: Callable[[Image], list[str]] | None = None,
        new_gate: Callable[[], KeyframeGate] = KeyframeGate,
        keep_features: bool = False,
        source: str = "",
    ) -> None:
        """`min_label` is the probability an object needs; `keep_features` adds the embedding."""
        if not 0 < min_label <= 1:
            raise ValueError(f"min_label is {min_label}: it must be in 0..1")
        self._network = network or VisualNetwork()
        self._codebook = codebook or Codebook.load(models or models_dir())
        self._labels = tuple(labels or load_labels(models or models_dir()))
        self._read_text = read_text or TextReader()
        self._read_markers = read_markers or MarkerReader(marker_names)
        self._new_gate = new_gate
        self._gates: dict[str, KeyframeGate] = {}
        self._min_label = min_label
        self._keep_features = keep_features
        self.source = source

    def tokenize(
        self, image: Image, stamp: int, stream: str, pose: Pose | None = None
    ) -> Event | None:
        """
        Return the event of an RGB frame (uint8 [H, W, 3]), or None when it is no keyframe.

        Raises ValueError, with the value, for anything that is not such a frame.
        """
        check_image(image)
        features: VisualFeatures | None = None

        def embed() -> NDArray[np.float32]:
            nonlocal features
            features = self._network(image)
            return features.embedding

        gate = self._gates.setdefault(stream, self._new_gate())
        if not gate.is_keyframe(image, stamp, embed) or features is None:
            return None
        return Event(
            stamp=stamp,
            stream=stream,
            modality=Modality.CAMERA,
            tokens=self._codebook.tokens(features.patches),
            text=self._describe(image, features),
            pose=pose,
            features=tuple(features.embedding.tolist()) if self._keep_features else (),
            source=self.source,
        )

    def _describe(self, image: Image, features: VisualFeatures) -> str:
        """Say what is legible, which markers are in view and what is recognised."""
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        parts = (
            ("Sign reads", self._read_text(image)),
            ("Marker", ", ".join(self._read_markers(gray))),
            ("Camera sees", ", ".join(self._objects(features))),
        )
        return " ".join(f"{name}: {text}." for name, text in parts if text)

    def _objects(self, features: VisualFeatures) -> list[str]:
        """Name the likeliest objects; two that share a frame share its probability."""
        likeliest = np.argsort(-features.labels)[:MOST_LABELS]
        names = [self._labels[k] for k in likeliest if features.labels[k] >= self._min_label]
        return list(dict.fromkeys(names))


def check_image(image: Image) -> None:
    """Raise ValueError unless it is a uint8 RGB image of at least 32x32."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        kind = getattr(image, "dtype", type(image).__name__)
        raise ValueError(f"image is {kind}: give RGB as a uint8 array")
    if image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(f"image has shape {image.shape}: give [height, width, 3] in RGB order")
    if min(image.shape[:2]) < SMALLEST_SIDE:
        raise ValueError(
            f"image is {image.shape[1]}x{image.shape[0]}: it must be at least"
            f" {SMALLEST_SIDE}x{SMALLEST_SIDE}; check the camera driver"
        )
