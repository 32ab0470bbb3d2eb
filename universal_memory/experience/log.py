"""
A log of experience as a text file, for robots and tests that have no ROS.

JSON lines, one event each, as in the episodes of `ump eval`:

    {"t": 12.5, "stream": "audio", "text": "Anna said: my tea should be weak."}

`t` is in seconds, of any clock that runs on; `stream`, `speaker`, `modality` and `source` may be
left out. Plain text is a log too: a line is an event, one second after the last, and an empty line
is a pause that ends an episode. A file is one or the other, which its first line shows.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from universal_memory.experience.clock import SECOND
from universal_memory.experience.event import Event, Modality

TEXT_STREAM = "text"
LINE_NANOSECONDS = SECOND
PAUSE_NANOSECONDS = 7200 * SECOND  # longer than any gap of episodes, and than the repeat filter's


class LogError(ValueError):
    """A log that cannot be read; the message names the line and the remedy."""


def read_log(path: Path) -> list[Event]:
    """Read the events of `path` (UTF-8) in order of time, without tokens. Raises LogError."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"cannot read the log {path}: {error}; remedy: a file in UTF-8") from error
    lines = text.split("\n")  # not splitlines: U+2028 may stand inside a text
    first = next((line.strip() for line in lines if line.strip()), "")
    events = _json_lines(path, lines) if first.startswith("{") else _plain_lines(path, lines)
    if not events:
        raise LogError(f"the log {path} is empty; remedy: one event a line, see `ump compile`")
    return sorted(events, key=lambda event: event.stamp)


def modality_of(stream: str) -> str:
    """Return the kind of input that a stream's name begins with: "audio/kitchen" is audio."""
    kind = stream.split("/")[0]
    return kind if kind in Modality.ALL else Modality.TEXT


def _json_lines(path: Path, lines: list[str]) -> list[Event]:
    events = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            events.append(_event(json.loads(line), path.name))
        except (ValueError, OverflowError, RecursionError) as error:
            raise LogError(
                f"line {number} of {path} is no event: {error}; remedy: write for example "
                '{"t": 12.5, "stream": "audio", "text": "..."}'
            ) from error
    return events


def _plain_lines(path: Path, lines: list[str]) -> list[Event]:
    events: list[Event] = []
    stamp, step = 0, LINE_NANOSECONDS
    for line in lines:
        if not line.strip():
            step = PAUSE_NANOSECONDS if events else step
            continue
        stamp, step = stamp + step, LINE_NANOSECONDS
        words = " ".join(line.split())
        events.append(Event(stamp, TEXT_STREAM, Modality.TEXT, (), words, source=path.name))
    return events


def _event(row: Any, source: str) -> Event:
    if not isinstance(row, dict):
        raise ValueError(f"{row!r} is not an object")
    time = row.get("t")
    if isinstance(time, bool) or not isinstance(time, (int, float)) or not math.isfinite(time):
        raise ValueError(f"t is {time!r}, not a number of seconds")
    stream = _text(row, "stream", TEXT_STREAM)
    return Event(
        stamp=round(time * SECOND),
        stream=stream,
        modality=_text(row, "modality", modality_of(stream)),
        tokens=(),
        text=_text(row, "text"),
        speaker=_text(row, "speaker", ""),
        source=_text(row, "source", source),
    )


def _text(row: dict[str, Any], name: str, default: str | None = None) -> str:
    value = row.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"{name} is {value!r}, not a text")
    value.encode()  # half a surrogate pair is no text either
    return value
