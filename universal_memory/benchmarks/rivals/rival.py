"""What a rival is: one way to remember texts and to answer questions about them, and its costs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, ClassVar

from universal_memory.benchmarks.rivals.decoding import say
from universal_memory.rendering.adapter import Adapter
from universal_memory.runtime.answerer import Answerer

if TYPE_CHECKING:
    from universal_memory.benchmarks.rivals.text_vectors import TextVectors
    from universal_memory.benchmarks.rivals.world import World

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Asked:
    """A question; the text number `memory` of its world answers it with one of `answers`."""

    text: str
    answers: tuple[str, ...]
    memory: int


@dataclass(frozen=True)
class Answered:
    """An answer. `prompt_tokens`: how many went through the model before its first token.

    `first_token_ms`: from the question to that token, search and loading included.
    """

    text: str
    prompt_tokens: int
    first_token_ms: float


@dataclass(frozen=True)
class Settings:
    """What all rivals go by.

    `max_tokens`: of an answer. `top_texts`: texts that are retrieved. `top_files`: memory files
    that are fused. `embed_most`: memories up to which texts are embedded with MiniLM. `tune_steps`,
    `tune_rate`: of a LoRA for one episode. `soft_minutes`: of training where there are no soft
    tokens yet; `soft_run`: the folder they lie in, None: the model's own.
    """

    max_tokens: int = 24
    top_texts: int = 5
    top_files: int = 3
    embed_most: int = 100_000
    tune_steps: int = 16
    tune_rate: float = 5e-3
    soft_minutes: float = 8.0
    soft_run: Path | None = None


@dataclass(frozen=True)
class Parts:
    """What rivals are made of. The store of `answerer` is not used; `scratch`: an own folder."""

    answerer: Answerer
    settings: Settings
    vectors: TextVectors
    scratch: Path
    advance: Advance = lambda stage, done, total: None


class NotRunError(Exception):
    """A rival that does not run here, or not at this size; the message goes into its row."""


class Rival(ABC):
    """One way to remember and to answer. A world is remembered after another; the last one counts.

    What is kept for a text may be used again in a later world. `name`: in tables and options.
    `given`: whether the right memory is handed to it, so that the number of memories changes
    nothing: it is then asked at one size only. `note`: what its row has to say.
    """

    name: ClassVar[str]
    given: ClassVar[bool] = False
    note: str = ""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.language_model = parts.answerer.language_model
        self.compiled_ms: list[float] = []
        self.stored: list[int] = []

    @property
    def compile_ms(self) -> float:
        """Median time to take in one memory, by itself [ms]; 0 where nothing is done."""
        return median(self.compiled_ms) if self.compiled_ms else 0.0

    @property
    def bytes_per_memory(self) -> float:
        """Mean of all that is kept for one memory, on disk and in an index [bytes]."""
        return fmean(self.stored) if self.stored else 0.0

    @abstractmethod
    def remember(self, world: World) -> None:
        """Take in all memories of a world. Raises NotRunError."""

    def ready(self, asked: Asked) -> None:
        """Do what a robot has done long before it is asked, of what this question may choose.

        To do it for every memory of a large world takes hours; it is not in the time of an answer.
        """
        del asked

    @abstractmethod
    def answer(self, asked: Asked) -> Answered:
        """The answer, decoded greedily. Only a rival that is `given` may look at `asked.memory`."""

    def read(
        self, question: str, text: str, started: float, adapter: Adapter | None = None
    ) -> Answered:
        """The answer of the model with `text` in its prompt; `started`: `time.perf_counter`."""
        prompt = self.language_model.prompt_ids(question, text)
        most = self.parts.settings.max_tokens
        spoken = say(self.language_model, started, most, ids=prompt, adapter=adapter)
        return Answered(spoken.text, len(prompt), spoken.first_token_ms)

    def timed(self, work: Callable[[], int]) -> None:
        """Take in one memory with `work`, which returns the bytes it keeps."""
        started = time.perf_counter()
        stored = work()
        self.compiled_ms.append(1000 * (time.perf_counter() - started))
        self.stored.append(stored)
