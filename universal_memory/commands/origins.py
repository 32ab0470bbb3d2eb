"""Where a memory came from, for people: the bag, the streams, the seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from universal_memory.commands.console import echo_table, stamp_text
from universal_memory.memory.record import Record

NANOSECONDS = 10**9
HEAD = ("source", "streams", "from", "header seconds", "text")


def origin_of(record: Record | None) -> dict[str, Any] | None:
    """What the ledger knows, and the stamps in seconds as they stand in headers; None: nothing."""
    if record is None:
        return None
    origin = asdict(record.provenance)
    for name in ("start", "end"):
        origin[f"{name}_seconds"] = origin[f"{name}_stamp"] / NANOSECONDS or None
    return origin


def origin_cells(origin: dict[str, Any] | None) -> tuple[str, ...]:
    """The cells under HEAD."""
    if origin is None:
        return ("not in the ledger", *["-"] * (len(HEAD) - 1))
    start, end = origin["start_seconds"], origin["end_seconds"]
    return (
        origin["source"] or "-",
        ", ".join(origin["streams"]) or "-",
        stamp_text(origin["start_stamp"]),
        "-" if start is None or end is None else f"{start:.3f} to {end:.3f}",
        origin["text"] or ("imported" if origin["imported"] else "-"),
    )


def echo_origins(origins: Iterable[tuple[str, dict[str, Any] | None]]) -> None:
    """A row a file: id and origin."""
    echo_table(("file", *HEAD), [(name[:12], *origin_cells(origin)) for name, origin in origins])
