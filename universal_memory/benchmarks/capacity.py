"""Capacity: recall against the number of facts in one memory file.

An episode of n facts is encoded as a whole, past the cutter that would have made several files of
it, and its facts are asked for with that file on, as a robot does (`routing.pointer`) and with all
of its words open. A file has a seat for each of MOST_PIECES word pieces and no more, so of long
episodes the last facts never reached it: they are counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from statistics import fmean
from typing import Any

from universal_memory.benchmarks.recall import (
    Advance,
    Case,
    Outcome,
    ask,
    askable_families,
    containment,
    exact_match,
    filed,
    fused,
    gated,
)
from universal_memory.runtime.answerer import Answerer
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.space.text_tower import TextTower
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample

MAX_TOKENS = 24
MOST_PIECES = SEATS * SLOTS
NO_BOUND = 100_000  # word pieces of an episode
KEPT = 0.9  # of the exact match at the smallest number of facts, for the knee
TRIES = 20


def capacity(
    answerer: Answerer,
    counts: Sequence[int],
    episodes: int,
    questions: int = 120,
    split: str = "new_combinations",
    seed: int = 20261122,
    batch: int = 8,
    advance: Advance = lambda stage, done, total: None,
) -> dict[str, Any]:
    """A row for every number of facts in `counts` (1 is always among them), and the knee.

    `questions`: most questions at each number, drawn evenly from all facts of its episodes.
    """
    sizes = sorted({1, *counts})
    rows = []
    for place, size in enumerate(sizes, 1):
        samples = episodes_of(size, episodes, split, seed)
        rows.append({"facts": size, **_row(answerer, samples, questions, seed, batch)})
        advance("capacity", place, len(sizes))
    curve = [(row["facts"], row["exact_match"]) for row in rows]
    return {"rows": rows, "knee": knee(curve), "max_word_pieces": MOST_PIECES}


def episodes_of(facts: int, count: int, split: str, seed: int) -> list[EpisodeSample]:
    """`count` episodes of exactly `facts` facts, however long.

    Raises ValueError where the families have too few different subjects for so many facts.
    """
    generator = EpisodeGenerator(
        seed, split, families=askable_families(split), max_word_pieces=NO_BOUND
    )
    found: list[EpisodeSample] = []
    for _ in range(TRIES * count):
        sample = generator.episode(facts)
        if len(sample.facts) == facts:
            found.append(sample)
        if len(found) == count:
            return found
    raise ValueError(f"no {count} episodes of {facts} facts: ask for fewer facts")


def facts_within(tower: TextTower, sample: EpisodeSample, most: int = MOST_PIECES) -> int:
    """How many facts of an episode lie wholly within its first `most` word pieces."""
    statements = [fact.statement for fact in sample.facts]
    ends = (tower.count(" ".join(statements[:end])) for end in range(1, len(statements) + 1))
    return sum(end <= most for end in ends)


def knee(curve: Sequence[tuple[int, float]]) -> int | None:
    """The largest number of facts with at least KEPT of the smallest one's exact match.

    None where nothing is recalled even of that.
    """
    _, alone = min(curve)
    return max(facts for facts, exact in curve if exact >= KEPT * alone) if alone else None


def _row(
    answerer: Answerer, samples: Sequence[EpisodeSample], questions: int, seed: int, batch: int
) -> dict[str, Any]:
    files = filed(answerer, [sample.text for sample in samples])
    within = [facts_within(answerer.space.tower, sample) for sample in samples]
    pieces = [answerer.space.tower.count(sample.text) for sample in samples]
    places = [
        (number, fact) for number, sample in enumerate(samples) for fact in range(len(sample.facts))
    ]
    asked = Random(f"{seed} capacity").sample(places, min(questions, len(places)))
    outcomes: list[Outcome] = []
    whole: list[Outcome] = []
    for start in range(0, len(asked), batch):
        cases, open_cases = [], []
        for number, fact in asked[start : start + batch]:
            question = samples[number].facts[fact].questions[0]
            file = files[samples[number].text]
            ready = gated(answerer, question.text, [file])
            cases.append(Case(question.text, (question.answers,), ready.adapter))
            adapter = fused(answerer.renderer, [file])
            open_cases.append(Case(question.text, (question.answers,), adapter))
        outcomes += ask(answerer.language_model, cases, MAX_TOKENS)
        whole += ask(answerer.language_model, open_cases, MAX_TOKENS)
    seen = [
        outcome
        for (number, fact), outcome in zip(asked, outcomes, strict=True)
        if fact < within[number]
    ]
    exact = exact_match(outcomes)
    kilobytes = fmean(file.nbytes for file in files.values()) / 1000
    return {
        "episodes": len(samples),
        "questions": len(outcomes),
        "exact_match": exact,
        "exact_match_whole": exact_match(whole),
        "containment": containment(outcomes),
        "exact_match_within": exact_match(seen) if seen else None,
        "facts_within": fmean(within),
        "word_pieces": fmean(pieces),
        "word_pieces_most": max(pieces),
        "kilobytes": kilobytes,
        "recalled_per_kilobyte": exact * fmean(len(one.facts) for one in samples) / kilobytes,
    }
