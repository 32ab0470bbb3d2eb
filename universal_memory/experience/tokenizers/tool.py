"""
Tool calls as one canonical line, `Tool set_timer(label=oven, minutes=25) returned state=ok`.

A failed call reads `Tool NAME(...) failed: error=REASON.`. Nested objects are flattened with dots
(`pose.x=1.5`), lists are joined by slashes (`rooms=hall/kitchen`), lists that hold objects are
numbered (`items.0.name=milk`). Keys stay in the order given and numbers as they were written, so
the same call always gives the same line.

Tool calls are untrusted: what is not JSON is kept as text and the event is flagged, and a line
never grows beyond a bound, however large the result.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from universal_memory.experience.event import Event, Modality

INVALID_JSON, TRUNCATED, UNNAMED = "invalid_json", "truncated", "unnamed_tool"
NOTHING = "nothing"
DEEPEST = 8


class ToolTokenizer:
    """
    Turns a finished tool call into an event. Deterministic, keeps no state.

    `token_ids` gives the ids of the encoder's own tokenizer (`TextTower.token_ids`); the name, the
    arguments and the result each get at most `max_characters` characters of the line.
    """

    def __init__(
        self, token_ids: Callable[[str], Sequence[int]], max_characters: int = 240
    ) -> None:
        if max_characters < 8:
            raise ValueError(f"max_characters is {max_characters}: give at least 8")
        self._token_ids = token_ids
        self._max_characters = max_characters

    def tokenize(
        self,
        name: str,
        arguments: str,
        result: str,
        success: bool,
        stamp: int,
        stream: str = "tool",
        source: str = "",
    ) -> Event:
        """Return the event of one call; `arguments` and `result` are JSON, or empty for none."""
        flags: list[str] = []
        called = self._part("", arguments, flags)
        outcome = self._part("" if success else "error", result, flags)
        name = self._bounded(_one_line(name), flags) or "unnamed"
        if name == "unnamed":
            flags.append(UNNAMED)
        if success:
            text = f"Tool {name}({called}) returned {outcome or NOTHING}"
        else:
            text = f"Tool {name}({called}) failed: {outcome or 'error=unknown'}"
        text += "" if text.endswith(".") else "."
        return Event(
            stamp=stamp,
            stream=stream,
            modality=Modality.TOOL,
            tokens=tuple(self._token_ids(text)),
            text=text,
            flags=tuple(dict.fromkeys(flags)),
            source=source,
        )

    def _part(self, key: str, document: str, flags: list[str]) -> str:
        """Return one JSON document in canonical form, or its text, flagged; `key` names scalars."""
        if not document.strip():
            return ""
        try:
            value = json.loads(
                document, parse_int=_verbatim, parse_float=_verbatim, parse_constant=_refuse
            )
            text = ", ".join(_pairs("" if isinstance(value, dict) else key, value, 0))
        except (ValueError, RecursionError):
            flags.append(INVALID_JSON)
            text = _with_key(key, _one_line(document))
        return self._bounded(text, flags)

    def _bounded(self, text: str, flags: list[str]) -> str:
        if len(text) > self._max_characters:
            flags.append(TRUNCATED)
            text = text[: self._max_characters - 3].rstrip() + "..."
        return text


def _verbatim(number: str) -> str:
    """Keep a number as written: 25.0 stays 25.0, and a thousand digits cost nothing."""
    return number


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _pairs(key: str, value: Any, depth: int) -> Iterator[str]:
    """Yield `key=value` for every leaf, in order."""
    if depth > DEEPEST:
        raise RecursionError
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        children = [(str(number), item) for number, item in enumerate(value)]
    else:
        leaf = "/".join(map(_leaf, value)) if isinstance(value, list) else _leaf(value)
        if key or leaf:
            yield _with_key(key, leaf)
        return
    if key and not children:
        yield _with_key(key, "")
    for name, child in children:
        yield from _pairs(".".join(filter(None, (key, _one_line(name)))), child, depth + 1)


def _with_key(key: str, leaf: str) -> str:
    return f"{key}={leaf}" if key else leaf


def _leaf(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _one_line(str(value))


def _one_line(text: str) -> str:
    """Return valid text without line breaks or control characters, words one space apart."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())
