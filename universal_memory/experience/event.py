"""
What the robot experiences, one observed thing at a time.

An `Event` is the only thing that enters the house. A tokenizer makes it from raw input (an image, a
sound, a tool call), the rolling buffer keeps it until it is compiled, and the encoder reads its
`text`, verbatim. Its `stamp` is the header stamp of what was observed, never the time it arrived.
"""

from __future__ import annotations

from dataclasses import dataclass


class Modality:
    """Names of the four kinds of input, as used in `Event.modality`."""

    CAMERA = "camera"
    AUDIO = "audio"
    TOOL = "tool"
    TEXT = "text"
    ALL = (CAMERA, AUDIO, TOOL, TEXT)


@dataclass(frozen=True)
class Pose:
    """Where the sensor was: position in metres, orientation as a quaternion (x, y, z, w)."""

    frame_id: str
    position: tuple[float, float, float]
    orientation: tuple[float, float, float, float]


@dataclass(frozen=True)
class Event:
    """
    One observed thing. Raises `ValueError` when a field could not come from a sensor.

    `stamp` is in nanoseconds; `tokens` are ids of the modality's own vocabulary (visual codebook,
    Whisper, WordPiece); `text` may be empty (nothing legible), such an event is counted and not
    compiled; `flags` mark what went wrong, for example "invalid_json".
    """

    stamp: int
    stream: str
    modality: str
    tokens: tuple[int, ...]
    text: str
    speaker: str = ""
    pose: Pose | None = None
    flags: tuple[str, ...] = ()
    features: tuple[float, ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.stamp < 2**63:
            raise ValueError(
                f"stamp {self.stamp} ns is outside 0..2^63-1: use the header stamp in nanoseconds"
            )
        if not self.stream:
            raise ValueError("stream is empty: name the source, for example 'camera/front'")
        if self.modality not in Modality.ALL:
            raise ValueError(f"modality {self.modality!r} is not one of {', '.join(Modality.ALL)}")
