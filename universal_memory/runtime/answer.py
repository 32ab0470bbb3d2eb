"""An answer, and what it is made of on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from universal_memory.memory.record import Provenance
from universal_memory.rendering.adapter import Adapter
from universal_memory.runtime.parted import OpenedAdapter, PartedAdapter

BASE, COMPILED, FRESH, UNKNOWN = "BASE", "COMPILED", "FRESH", "UNKNOWN"


class PromptTooLong(ValueError):
    """The prompt leaves the language model no room for an answer."""


class Stamps(NamedTuple):
    """When a memory was compiled and experienced; its provenance without the text."""

    compiled: int
    start: int
    end: int

    @classmethod
    def of(cls, origin: Provenance) -> Stamps:
        """The stamps of a memory of that origin."""
        return cls(origin.compiled_stamp, origin.start_stamp, origin.end_stamp)


@dataclass(frozen=True)
class Hit:
    """A memory file used for an answer. Stamps: nanoseconds of the node clock, 0 if unknown.

    `start_stamp`, `end_stamp`: when its first and last event were experienced.
    `cosine`, `conflict`: what it meets in the other files used (`rendering.conflict`).
    """

    id: str
    relevance: float
    gate: float
    compiled_stamp: int
    cosine: float = 0.0
    conflict: float = 0.0
    start_stamp: int = 0
    end_stamp: int = 0


@dataclass(frozen=True)
class Answer:
    """An answer, where it came from, and the milliseconds of every stage."""

    answer: str
    source: str
    hits: tuple[Hit, ...]
    route_ms: float
    load_ms: float
    render_ms: float
    generate_ms: float
    prompt_tokens: int


@dataclass(frozen=True)
class Prepared:
    """Everything but the generation: what goes into the model, and what goes onto it.

    `prompt`: token ids. `adapter`: None leaves the base model untouched; else the manner of
    answering, then the files of the hits, of each what is in `put_on`.
    """

    prompt: list[int]
    adapter: Adapter | None
    source: str
    hits: tuple[Hit, ...] = ()
    route_ms: float = 0.0
    load_ms: float = 0.0
    render_ms: float = 0.0
    put_on: tuple[OpenedAdapter, ...] = ()


@dataclass(frozen=True)
class LoadedFile:
    """A rendered file that is put on. `logits`: of its parts, of being relevant."""

    id: str
    logits: list[float]
    adapter: PartedAdapter
    stamps: Stamps

    @property
    def logit(self) -> float:
        """Log-odds of the file: those of its most relevant part."""
        return max(self.logits)
