"""An event with its place in the rolling buffer, and how it is written as a row of SQLite."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from universal_memory.experience.event import Event, Pose

INSERT = """
    INSERT INTO events(sequence, segment, elapsed, token_count, stamp, stream, modality, tokens,
                       text, speaker, pose, flags, features, source)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""


@dataclass(frozen=True)
class BufferedEvent:
    """An `Event`, its `sequence` (unique for ever) and the `segment` of unbroken time it is in."""

    sequence: int
    segment: int
    event: Event

    @property
    def order(self) -> tuple[int, int, int]:
        """Sorts events by time: segment, stamp, then arrival."""
        return (self.segment, self.event.stamp, self.sequence)


def identity(event: Event) -> bytes:
    """Return 16 bytes that are equal for the same (stream, stamp, text) and only for those."""
    key = json.dumps([event.stream, event.stamp, event.text]).encode()
    return hashlib.sha256(key).digest()[:16]


def to_row(event: Event) -> tuple[Any, ...]:
    """Return the values of `INSERT` from `stamp` on; tokens as int64, features as float32."""
    return (
        event.stamp,
        event.stream,
        event.modality,
        np.asarray(event.tokens, dtype="<i8").tobytes(),
        event.text.encode("utf-8", "surrogatepass"),
        event.speaker,
        json.dumps(astuple(event.pose)) if event.pose else None,
        json.dumps(event.flags),
        np.asarray(event.features, dtype="<f4").tobytes(),
        event.source,
    )


def from_row(row: sqlite3.Row) -> BufferedEvent:
    """Rebuild the event from a row of `events`."""
    pose = None
    if row["pose"]:
        frame_id, position, orientation = json.loads(row["pose"])
        pose = Pose(frame_id, tuple(position), tuple(orientation))
    event = Event(
        stamp=row["stamp"],
        stream=row["stream"],
        modality=row["modality"],
        tokens=tuple(np.frombuffer(row["tokens"], dtype="<i8").tolist()),
        text=row["text"].decode("utf-8", "surrogatepass"),
        speaker=row["speaker"],
        pose=pose,
        flags=tuple(json.loads(row["flags"])),
        features=tuple(np.frombuffer(row["features"], dtype="<f4").tolist()),
        source=row["source"],
    )
    return BufferedEvent(row["sequence"], row["segment"], event)
