"""Writes the day as one rosbag2 (MCAP): pictures, poses, sound and tool calls.

Message types of the project are read from `msg/` at the root, so the bag never needs a built
workspace. Header stamps are the time of capture; a message is recorded when it is complete, so a
chunk of sound comes one chunk after its stamp and a picture `_EXPOSURE` after it.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from rosbags.interfaces import (
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from sim.camera import CAMERA_HEIGHT, Stand
from sim.script import START_STAMP, Call
from sim.speech import SAMPLE_RATE, Samples

ROOT = Path(__file__).resolve().parents[1]

CAMERA_TOPIC = "/camera/front/image/compressed"
POSE_TOPIC = "/camera/front/pose"
AUDIO_TOPIC = "/microphone/audio"
TOOL_TOPIC = "/tool_calls"

_EXPOSURE = 0.03  # from the stamp of a picture to its arrival [s]
_MESSAGES = "universal_memory_msgs/msg"


def typestore() -> Typestore:
    """ROS 2 types with the project's own AudioChunk and ToolCall."""
    store = get_typestore(Stores.ROS2_KILTED)
    types: dict[str, Any] = {}
    for name in ("AudioChunk", "ToolCall"):
        definition = (ROOT / "msg" / f"{name}.msg").read_text(encoding="utf-8")
        types |= get_types_from_msg(definition, f"{_MESSAGES}/{name}")
    store.register(types)
    return store


class DayWriter:
    """Writes messages of the day into a new bag; times are seconds since the day began.

    Messages must be written in the order of recording.

    Args:
        path: folder of the bag, must not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self._types = typestore()
        self._writer = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)

    def __enter__(self) -> DayWriter:
        self._writer.open()
        self._connections = {
            topic: self._writer.add_connection(
                topic, kind, typestore=self._types, offered_qos_profiles=[_qos(reliable)]
            )
            for topic, kind, reliable in (
                (CAMERA_TOPIC, "sensor_msgs/msg/CompressedImage", False),
                (POSE_TOPIC, "geometry_msgs/msg/PoseStamped", False),
                (AUDIO_TOPIC, f"{_MESSAGES}/AudioChunk", False),
                (TOOL_TOPIC, f"{_MESSAGES}/ToolCall", True),
            )
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._writer.close()

    def picture(self, seconds: float, data: bytes, stand: Stand) -> None:
        """A JPEG picture and where the camera was, both with the same stamp."""
        types = self._types.types
        x, y, z, w = stand.orientation
        pose = types["geometry_msgs/msg/Pose"](
            position=types["geometry_msgs/msg/Point"](x=stand.x, y=stand.y, z=CAMERA_HEIGHT),
            orientation=types["geometry_msgs/msg/Quaternion"](x=x, y=y, z=z, w=w),
        )
        placed = types["geometry_msgs/msg/PoseStamped"](
            header=self._header(seconds, "map"), pose=pose
        )
        image = types["sensor_msgs/msg/CompressedImage"](
            header=self._header(seconds, "camera_front"),
            format="jpeg",
            data=np.frombuffer(data, dtype=np.uint8),
        )
        self._write(POSE_TOPIC, seconds + _EXPOSURE, placed)
        self._write(CAMERA_TOPIC, seconds + _EXPOSURE, image)

    def sound(self, seconds: float, samples: Samples, speaker: str) -> None:
        """A chunk of mono sound whose first sample was heard at `seconds`."""
        chunk = self._types.types[f"{_MESSAGES}/AudioChunk"](
            header=self._header(seconds, "microphone"),
            sample_rate=SAMPLE_RATE,
            channels=1,
            encoding="pcm16",
            data=samples,
            speaker=speaker,
        )
        self._write(AUDIO_TOPIC, seconds + len(samples) / SAMPLE_RATE, chunk)

    def call(self, seconds: float, call: Call) -> None:
        """A finished tool call."""
        types = self._types.types
        whole = int(call.duration)
        message = types[f"{_MESSAGES}/ToolCall"](
            header=self._header(seconds, "base_link"),
            name=call.name,
            arguments=json.dumps(call.arguments),
            result=json.dumps(call.result),
            success=call.success,
            duration=types["builtin_interfaces/msg/Duration"](
                sec=whole, nanosec=round((call.duration - whole) * 1e9)
            ),
        )
        self._write(TOOL_TOPIC, seconds, message)

    def _header(self, seconds: float, frame: str) -> Any:
        types = self._types.types
        whole, rest = divmod(_stamp(seconds), 1_000_000_000)
        stamp = types["builtin_interfaces/msg/Time"](sec=whole, nanosec=rest)
        return types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame)

    def _write(self, topic: str, seconds: float, message: Any) -> None:
        connection = self._connections[topic]
        data = self._types.serialize_cdr(message, connection.msgtype)
        self._writer.write(connection, _stamp(seconds), data)


def _stamp(seconds: float) -> int:
    return START_STAMP + round(seconds * 1e9)


def _qos(reliable: bool) -> Qos:
    forever = QosTime(9223372036, 854775807)
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=100 if reliable else 5,
        reliability=QosReliability.RELIABLE if reliable else QosReliability.BEST_EFFORT,
        durability=QosDurability.VOLATILE,
        deadline=forever,
        lifespan=forever,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=forever,
        avoid_ros_namespace_conventions=False,
    )
