"""Recall against the number of fused files: the right one and others beside it.

- `random`: the others are about anything.
- `near-duplicate`: the others say the same of other people or things.

Gates are `given`, all 1, or `gated`: the answerer's own for exactly these files, which drop those
that are far less relevant than the best. Then two facts about one person, a file each, and a
question that needs both.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Any

import numpy as np

from universal_memory.benchmarks.pairs import pairs
from universal_memory.benchmarks.recall import (
    Advance,
    Case,
    Filed,
    Outcome,
    ask,
    askable_families,
    containment,
    exact_match,
    filed,
    fused,
    gated,
)
from universal_memory.benchmarks.two_files import two_files
from universal_memory.runtime.answerer import Answerer
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample, SubjectRegister

MAX_TOKENS = 24
TRIES = 20  # groups of near-duplicates that may come out too small, for each that does not


@dataclass(frozen=True)
class Group:
    """A question with its answers, and texts of which the first one answers it."""

    question: str
    answers: tuple[str, ...]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, samples: Sequence[EpisodeSample]) -> Group:
        """The group that asks for the fact of the first sample."""
        question = samples[0].facts[0].questions[0]
        return cls(question.text, question.answers, tuple(sample.text for sample in samples))


def fusion(
    answerer: Answerer,
    counts: Sequence[int],
    questions: int,
    split: str = "new_combinations",
    seed: int = 20261122,
    batch: int = 8,
    advance: Advance = lambda stage, done, total: None,
) -> dict[str, Any]:
    """Rows of both curves (`files`) and of the questions for two facts (`two_files`).

    `counts`: numbers of fused files; 1, which the others are compared with, is always among them.
    `advance` is told (stage, done, total).
    """
    sizes = sorted({1, *counts})
    rows: list[dict[str, Any]] = []
    kinds = {"random": random_groups, "near-duplicate": near_duplicates}
    for kind, make in kinds.items():
        groups = make(questions, sizes[-1], split, seed)
        files = filed(answerer, [text for group in groups for text in group.texts])
        for size in sizes:
            curve = [row for row in rows if row["kind"] == kind]
            for row in _fused_rows(answerer, groups, files, size, batch):
                single = next((one for one in curve if one["gates"] == row["gates"]), row)
                rows.append({"kind": kind, **row, "ratio": _ratio(row, single)})
            advance(kind, size, sizes[-1])
    return {
        "files": rows,
        "two_files": two_files(answerer, pairs(questions, split, seed), batch, advance),
        "corpus_files": len(answerer.store),
    }


def random_groups(count: int, size: int, split: str, seed: int) -> list[Group]:
    """Questions about one-fact texts, each with other questions' texts beside its own."""
    generator = EpisodeGenerator(seed, split, families=askable_families(split))
    register = SubjectRegister()
    samples = [generator.episode(1, register) for _ in range(max(count, size))]
    random = Random(f"{seed} fusion")
    return [
        Group.of([sample, *random.sample([one for one in samples if one is not sample], size - 1)])
        for sample in samples[:count]
    ]


def near_duplicates(count: int, size: int, split: str, seed: int) -> list[Group]:
    """Questions about one-fact texts, each with texts of its family about others beside its own.

    Raises ValueError where the families have too few different subjects for so many.
    """
    generator = EpisodeGenerator(seed, split, families=askable_families(split))
    found: list[Group] = []
    for _ in range(TRIES * count):
        samples = generator.group(size)
        if len(samples) == size:
            found.append(Group.of(samples))
        if len(found) == count:
            return found
    raise ValueError(f"no {count} groups of {size} near-duplicates: fuse fewer files")


def _fused_rows(
    answerer: Answerer, groups: Sequence[Group], files: dict[str, Filed], size: int, batch: int
) -> list[dict[str, Any]]:
    """The scores with `size` files on: a row with the gates given and one with them gated."""
    outcomes: dict[str, list[Outcome]] = {"given": [], "gated": []}
    times, on, own = [], [], []
    for start in range(0, len(groups), batch):
        cases: dict[str, list[Case]] = {"given": [], "gated": []}
        for group in groups[start : start + batch]:
            chosen = [files[text] for text in group.texts[:size]]
            started = time.perf_counter()
            adapter = fused(answerer.renderer, chosen)
            times.append(1000 * (time.perf_counter() - started))
            cases["given"].append(Case(group.question, (group.answers,), adapter))
            ready = gated(answerer, group.question, chosen)
            cases["gated"].append(Case(group.question, (group.answers,), ready.adapter))
            on.append(len(ready.hits))
            own.append(chosen[0].id in {hit.id for hit in ready.hits})
        for gates, part in cases.items():
            outcomes[gates] += ask(answerer.language_model, part, MAX_TOKENS)
    given, routed = (
        {
            "files": size,
            "gates": gates,
            "questions": len(part),
            "exact_match": exact_match(part),
            "containment": containment(part),
        }
        for gates, part in outcomes.items()
    )
    p50, p95 = np.percentile(times, [50, 95]).tolist()
    return [
        {**given, "files_on": float(size), "own_on": 1.0, "ms_p50": p50, "ms_p95": p95},
        {**routed, "files_on": fmean(on), "own_on": fmean(own)},
    ]


def _ratio(row: dict[str, Any], single: dict[str, Any]) -> float | None:
    """Exact match against that of a single file; None where that is 0."""
    alone = single["exact_match"]
    return row["exact_match"] / alone if alone else None
