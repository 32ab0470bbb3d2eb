"""An event with its place in the rolling buffer, and how it is written as a row of SQLite.

In an encrypted buffer all that an event says is one sealed blob, in the column `text`. Sequences,
segments, stamps, streams, numbers of tokens and ids of memories stay readable: time and amount are
what the buffer is sorted and cut by.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np

from universal_memory.encryption import Cipher
from universal_memory.experience.event import Event, Pose

INSERT = """
    INSERT INTO events(sequence, segment, elapsed, token_count, stamp, stream, modality, tokens,
                       text, speaker, pose, flags, features, source)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
REWRITE = """
    UPDATE events SET modality = ?, tokens = ?, text = ?, speaker = ?, pose = ?, flags = ?,
                      features = ?, source = ?
    WHERE sequence = ?"""
PRIVATE = ("modality", "tokens", "text", "speaker", "pose", "flags", "features", "source")
HIDDEN = ("", b"", b"", "", None, "[]", b"", "")  # in their place, where they are sealed or erased


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


def identity(event: Event, cipher: Cipher | None = None) -> bytes:
    """Return 16 bytes that are equal for the same (stream, stamp, text) and only for those."""
    key = json.dumps([event.stream, event.stamp, event.text]).encode()
    digest = hashlib.sha256(key).digest()[:16]
    return digest if cipher is None else cipher.mask(digest)


def to_row(event: Event, sequence: int, cipher: Cipher | None = None) -> tuple[Any, ...]:
    """Return the values of `INSERT` from `stamp` on; tokens as int64, features as float32."""
    private: tuple[Any, ...] = (
        event.modality,
        np.asarray(event.tokens, dtype="<i8").tobytes(),
        event.text.encode("utf-8", "surrogatepass"),
        event.speaker,
        json.dumps(astuple(event.pose)) if event.pose else None,
        json.dumps(event.flags),
        np.asarray(event.features, dtype="<f4").tobytes(),
        event.source,
    )
    if cipher is not None:
        sealed = cipher.seal_values(private, str(sequence))
        private = tuple(
            sealed if name == "text" else hidden
            for name, hidden in zip(PRIVATE, HIDDEN, strict=True)
        )
    return (event.stamp, event.stream, *private)


def from_row(row: sqlite3.Row, cipher: Cipher | None = None) -> BufferedEvent:
    """Rebuild the event from a row of `events`. Raises SealError if it does not open."""
    private: dict[str, Any] = {name: row[name] for name in PRIVATE}
    if cipher is not None and row["text"]:
        opened = cipher.open_values(row["text"], str(row["sequence"]))
        private = dict(zip(PRIVATE, opened, strict=True))
    pose = None
    if private["pose"]:
        frame_id, position, orientation = json.loads(private["pose"])
        pose = Pose(frame_id, tuple(position), tuple(orientation))
    event = Event(
        stamp=row["stamp"],
        stream=row["stream"],
        modality=private["modality"],
        tokens=tuple(np.frombuffer(private["tokens"], dtype="<i8").tolist()),
        text=private["text"].decode("utf-8", "surrogatepass"),
        speaker=private["speaker"],
        pose=pose,
        flags=tuple(json.loads(private["flags"])),
        features=tuple(np.frombuffer(private["features"], dtype="<f4").tolist()),
        source=private["source"],
    )
    return BufferedEvent(row["sequence"], row["segment"], event)
