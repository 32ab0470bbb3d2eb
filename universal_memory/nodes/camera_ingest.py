"""
`camera_ingest`: keyframes of a camera become events: visual tokens, text in view, markers, objects.

    image, or image/compressed ──> newest frame ──> experience (ExperienceEvent)
    pose (optional) ───────────────────┘

The worker takes the newest frame and drops what it has no time for, so the node keeps up with any
frame rate; drops are counted in `/diagnostics`. `image_transport: compressed` listens to
`image/compressed` as image_transport does, also where `image` is remapped.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml
from sensor_msgs.msg import CompressedImage, Image

from universal_memory.experience.tokenizers.camera import CameraTokenizer
from universal_memory.experience.tokenizers.keyframes import KeyframeGate
from universal_memory.experience.tokenizers.markers import MarkerReader
from universal_memory.experience.tokenizers.ocr import TextReader
from universal_memory.nodes.conversions import SECOND
from universal_memory.nodes.images import compressed_to_rgb, image_to_rgb
from universal_memory.nodes.ingest import IngestNode, common_rows
from universal_memory.nodes.parameters import Parameters, Row
from universal_memory.nodes.poses import PoseHistory
from universal_memory.nodes.qos import SENSOR
from universal_memory.nodes.spin import run

PARAMETERS = (
    *common_rows("camera"),
    Row("image_transport", "raw", "Which topic to take.", choices=("raw", "compressed"),
        fixed=True),
    Row("min_interval_seconds", 0.5, "At most one keyframe in this time [s, header stamps].", 0.0,
        3600.0),
    Row("min_change", 0.03, "Part of the image that must change before it is looked at.", 0.0, 1.0,
        fixed=True),
    Row("min_novelty", 0.12, "Cosine distance of a keyframe from the last ones.", 0.0, 1.0,
        fixed=True),
    Row("patience_seconds", 3.0, "Wait this long for an unblurred frame [s].", 0.0, 60.0,
        fixed=True),
    Row("refresh_seconds", 10.0, "A small change that lasts this long is looked at [s].", 0.0,
        3600.0, fixed=True),
    Row("ocr", True, "Read text in view.", fixed=True),
    Row("min_object_probability", 0.5, "Probability from which an object is named.", 0.01, 1.0,
        fixed=True),
    Row("markers", [""], "Names of ArUco markers, each as '12=charging dock'.", fixed=True),
    Row("marker_file", "", "YAML file of marker names, a map of id to name; empty: none.",
        fixed=True),
    Row("marker_dictionary", "DICT_4X4_50", "OpenCV name of the markers' dictionary.", fixed=True),
    Row("keep_features", False, "Add the 1280 numbers of the image embedding to events.",
        fixed=True),
    Row("use_pose", True, "Attach the nearest pose of topic pose.", fixed=True),
    Row("pose_tolerance_seconds", 0.5, "A pose further away in time is not the image's [s].", 0.0,
        60.0, fixed=True),
)


class CameraIngest(IngestNode):
    """Turns keyframes into events."""

    def __init__(self, tokenizer: CameraTokenizer | None = None, **options: Any) -> None:
        """Load the networks (unless a tokenizer is given) and subscribe."""
        super().__init__("camera_ingest", PARAMETERS, **options)
        values = self.parameters
        self._tokenizer = tokenizer or make_tokenizer(values)
        self._last_event: int | None = None
        # One frame waits while one is looked at: older ones are worth nothing.
        self._frames = self.start(self._look, capacity=1, newest_wins=True)
        self._poses = None
        if values["use_pose"]:
            self._poses = PoseHistory(self, values["pose_tolerance_seconds"])
        if values["image_transport"] == "compressed":
            topic = f"{self.resolve_topic_name('image')}/compressed"
            self.create_subscription(CompressedImage, topic, self._receive, SENSOR)
        else:
            self.create_subscription(Image, "image", self._receive, SENSOR)

    def _receive(self, message: Image | CompressedImage) -> None:
        self._frames.offer((message, self.stamp(message.header)))

    def _look(self, item: tuple[Image | CompressedImage, int]) -> None:
        message, stamp = item
        if not self._is_due(stamp):
            return
        compressed = isinstance(message, CompressedImage)
        image = compressed_to_rgb(message) if compressed else image_to_rgb(message)
        pose = self._poses.nearest(stamp) if self._poses else None
        event = self._tokenizer.tokenize(image, stamp, self.parameters["stream"], pose)
        if event is not None:
            self._last_event = stamp
            self.publish_event(event, message.header.frame_id)

    def _is_due(self, stamp: int) -> bool:
        """Whether the last keyframe is long enough ago, or the clock jumped to before it."""
        interval = self.parameters["min_interval_seconds"] * SECOND
        return self._last_event is None or not 0 <= stamp - self._last_event < interval


def make_tokenizer(values: Parameters) -> CameraTokenizer:
    """Return the tokenizer that the parameters describe. Raises ValueError, FileNotFoundError."""
    names = marker_names(values["markers"], values["marker_file"])
    return CameraTokenizer(
        min_label=values["min_object_probability"],
        read_text=TextReader() if values["ocr"] else lambda image: "",
        read_markers=MarkerReader(names, values["marker_dictionary"]),
        new_gate=lambda: KeyframeGate(
            values["min_change"],
            values["min_novelty"],
            values["patience_seconds"],
            values["refresh_seconds"],
        ),
        keep_features=values["keep_features"],
    )


def marker_names(entries: list[str], file: str) -> dict[int, str]:
    """Return marker id → name of a YAML file and of "12=charging dock" entries, which win."""
    names: dict[int, str] = {}
    if file:
        try:
            table = yaml.safe_load(Path(file).expanduser().read_text(encoding="utf-8")) or {}
            names = {int(marker): str(name) for marker, name in table.items()}
        except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"marker_file {file} is not a map of id to name ({error}): "
                "write lines such as '12: charging dock'"
            ) from error
    for entry in filter(str.strip, entries):
        marker, separator, name = entry.partition("=")
        if not separator or not marker.strip().isdecimal() or not name.strip():
            raise ValueError(f"marker {entry!r} is not ID=NAME: write for example 12=charging dock")
        names[int(marker)] = name.strip()
    return names


def main() -> int:
    """Run the node until it is told to stop."""
    return run(CameraIngest)


if __name__ == "__main__":
    sys.exit(main())
