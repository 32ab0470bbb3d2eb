"""What the recall benchmarks share: memory files of texts, questions, and how answers are judged.

Answers are greedy and free, decoded in batches in which every question has its own adapter on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.store import MemoryStore
from universal_memory.rendering.adapter import Adapter
from universal_memory.rendering.fusion import fuse
from universal_memory.rendering.renderer import Renderer
from universal_memory.runtime.answer import COMPILED, Prepared
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.runtime.questionnaire import contains, normalised
from universal_memory.training.corpora.families import FAMILIES, families_of
from universal_memory.training.evaluation.decoding import decode

ENCODED_AT_ONCE = 32

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Filed:
    """A text that was made into one memory file. `usv`: float32 [16, 256]."""

    id: str
    usv: NDArray[np.float32]
    nbytes: int


@dataclass(frozen=True)
class Case:
    """A question with its adapter. `wanted`: of every value asked for, the accepted answers."""

    question: str
    wanted: tuple[tuple[str, ...], ...]
    adapter: Adapter | None


@dataclass(frozen=True)
class Outcome:
    """How an answer was: exact needs one value asked for, contained needs all that are."""

    exact: bool
    contained: bool


@contextmanager
def fresh_answerer(model: str) -> Iterator[Answerer]:
    """An answerer of the trained parts over an empty store that is gone afterwards."""
    with tempfile.TemporaryDirectory() as scratch, MemoryStore(Path(scratch)) as store:
        yield Answerer.load(store, model)


def askable_families(split: str) -> list[str]:
    """Families of a split whose questions name what they are about and have many answers."""
    families = (FAMILIES[name] for name in families_of(split))
    return [family.name for family in families if family.subject and not family.exempt]


def filed(answerer: Answerer, texts: Sequence[str]) -> dict[str, Filed]:
    """Each text, encoded as a whole, as one memory file in the answerer's store."""
    found: dict[str, Filed] = {}
    waiting = list(dict.fromkeys(texts))
    for start in range(0, len(waiting), ENCODED_AT_ONCE):
        part = waiting[start : start + ENCODED_AT_ONCE]
        usvs = answerer.space.encode(part)
        passports = answerer.passport_encoder.passports(usvs)
        for text, usv, passport in zip(part, usvs, passports, strict=True):
            file = MemoryFile.create(usv, passport, answerer.space.space_id, len(found) + 1)
            found[text] = Filed(answerer.store.add(file), usv, len(file.to_bytes()))
    return found


def fused(renderer: Renderer, files: Sequence[Filed]) -> Adapter:
    """The manner and all files, rendered, at full gates."""
    with torch.inference_mode():
        rendered = [renderer.render(torch.from_numpy(file.usv.copy())) for file in files]
        return fuse([renderer.manner(), *rendered])


def gated(answerer: Answerer, question: str, files: Sequence[Filed]) -> Prepared:
    """The manner and those of the files, all else forgotten, that the answerer would put on."""
    ids = [file.id for file in files]
    return answerer.prepare(question, top_k=len(ids), min_relevance=0.0, among=ids)


def ask(language_model: LanguageModel, cases: Sequence[Case], max_tokens: int) -> list[Outcome]:
    """The outcome of every case of one batch."""
    prepared = [
        Prepared(language_model.prompt_ids(case.question), case.adapter, COMPILED) for case in cases
    ]
    answers = decode(language_model, prepared, max_tokens)
    return [judged(text, case.wanted) for text, case in zip(answers, cases, strict=True)]


def judged(answer: str, wanted: Sequence[Sequence[str]]) -> Outcome:
    """How `answer` is, after SQuAD normalisation."""
    exact = len(wanted) == 1 and normalised(answer) in map(normalised, wanted[0])
    return Outcome(exact, all(contains(answer, accepted) for accepted in wanted))


def exact_match(outcomes: Sequence[Outcome]) -> float:
    """Share of exact answers."""
    return fmean(outcome.exact for outcome in outcomes)


def containment(outcomes: Sequence[Outcome]) -> float:
    """Share of answers that contain all that was asked for."""
    return fmean(outcome.contained for outcome in outcomes)
