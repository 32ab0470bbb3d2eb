"""
The nodes of a robot's memory, as one table: `ump up` and the launch files start what stands here.

A node's name is that of its executable, which is also a module in `universal_memory.nodes`. Topics
are relative: the names the node uses, to be remapped to the robot's own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PARAMETERS_FILE = "robot.yaml"
REPLAY_PARAMETERS_FILE = "replay.yaml"


@dataclass(frozen=True)
class NodeEntry:
    """One node. `inputs` are the topics of the robot that it listens to: name and meaning."""

    executable: str
    summary: str
    lifecycle: bool = False
    inputs: tuple[tuple[str, str], ...] = ()


NODE_TABLE = (
    NodeEntry(
        "camera_ingest",
        "camera images become experience: text in view, markers, objects",
        inputs=(
            ("image", "camera images, sensor_msgs/Image or CompressedImage"),
            ("pose", "where the camera is, geometry_msgs/PoseStamped, optional"),
        ),
    ),
    NodeEntry(
        "audio_ingest",
        "speech becomes experience: transcript and speaker",
        inputs=(("audio", "microphone samples, universal_memory_msgs/AudioChunk"),),
    ),
    NodeEntry(
        "tool_ingest",
        "tool calls become experience",
        inputs=(("tool_calls", "finished tool calls, universal_memory_msgs/ToolCall"),),
    ),
    NodeEntry("memory_compiler", "experience becomes memory files", lifecycle=True),
    NodeEntry("memory_server", "answers questions from memory files", lifecycle=True),
)


def parameters_file(name: str = PARAMETERS_FILE) -> Path:
    """
    Return the path of a parameter file of the project: the checkout's, else the ROS package's.

    Raises FileNotFoundError with the remedy if there is none of that name.
    """
    checkout = Path(__file__).resolve().parent.parent
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    shares = [Path(prefix, "share", "universal_memory") for prefix in prefixes if prefix]
    for folder in (checkout, *shares):
        if (path := folder / "config" / name).is_file():
            return path
    raise FileNotFoundError(
        f"no parameter file {name!r} in {checkout / 'config'} or an installed universal_memory; "
        "remedy: source the workspace's setup.bash, or name a file of your own"
    )
