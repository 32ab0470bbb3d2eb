"""What is remembered about a memory beside its file: one row of the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from universal_memory.encryption import Cipher

SELECT = """
    SELECT id, counter, space_id, key_id, compiled_stamp, start_stamp, end_stamp,
           streams, source, pose, text, imported
    FROM memories
"""
INSERT = """
    INSERT OR REPLACE INTO memories (
        id, counter, space_id, key_id, compiled_stamp, start_stamp, end_stamp,
        streams, source, pose, text, imported
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


@dataclass(frozen=True)
class Provenance:
    """Where a memory came from. Stamps are nanoseconds of the node clock, 0 if unknown.

    streams: e.g. ("camera/front",); source: bag or session; pose: JSON object with frame_id,
    position and orientation; text: what the encoder read, None where it must not be kept;
    imported: made by another robot.
    """

    compiled_stamp: int = 0
    start_stamp: int = 0
    end_stamp: int = 0
    streams: tuple[str, ...] = ()
    source: str = ""
    pose: Mapping[str, Any] | None = None
    text: str | None = None
    imported: bool = False


@dataclass(frozen=True)
class Record:
    """One row of the ledger. key_id is "" for an unsigned file."""

    id: str
    counter: int
    space_id: str
    key_id: str = ""
    provenance: Provenance = Provenance()


def to_row(record: Record, cipher: Cipher | None = None) -> tuple[Any, ...]:
    """The values that INSERT takes; with a cipher, what tells of the experience is one sealed blob.

    That is streams, source, pose and text. Ids, counters, stamps and key ids stay readable.
    """
    origin = record.provenance
    private: tuple[Any, ...] = (
        json.dumps(list(origin.streams)),
        origin.source,
        None if origin.pose is None else json.dumps(dict(origin.pose)),
        origin.text,
    )
    if cipher is not None:
        private = ("", "", None, cipher.seal_values(private, record.id))
    return (
        record.id,
        record.counter,
        record.space_id,
        record.key_id,
        origin.compiled_stamp,
        origin.start_stamp,
        origin.end_stamp,
        *private,
        int(origin.imported),
    )


def from_row(row: tuple[Any, ...], cipher: Cipher | None = None) -> Record:
    """Read a row of SELECT back. Raises ValueError or TypeError if `to_row` did not make it."""
    (
        memory_id,
        counter,
        space_id,
        key_id,
        compiled,
        start,
        end,
        streams,
        source,
        pose,
        text,
        imported,
    ) = row
    if cipher is not None:
        streams, source, pose, text = cipher.open_values(text, str(memory_id))
    return Record(
        id=str(memory_id),
        counter=int(counter),
        space_id=str(space_id),
        key_id=str(key_id),
        provenance=Provenance(
            compiled_stamp=int(compiled),
            start_stamp=int(start),
            end_stamp=int(end),
            streams=tuple(json.loads(streams)),
            source=str(source),
            pose=None if pose is None else json.loads(pose),
            text=text,
            imported=bool(imported),
        ),
    )
