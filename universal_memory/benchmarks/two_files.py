"""Questions that need two facts, with the facts in one file or in two, and each fact by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from universal_memory.benchmarks.pairs import Pair
from universal_memory.benchmarks.recall import (
    Advance,
    Case,
    Filed,
    Outcome,
    ask,
    containment,
    exact_match,
    filed,
    fused,
    gated,
)
from universal_memory.runtime.answerer import Answerer

MAX_TOKENS = 40
BOTH, EACH = "both at once", "each by itself"
ONE, TWO, GATED, OWN = "one file with both", "two files", "two files, gated", "the one it is in"
SETTINGS = ((BOTH, ONE), (BOTH, TWO), (BOTH, GATED), (EACH, ONE), (EACH, TWO), (EACH, GATED),
            (EACH, OWN))  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """A question, the accepted answers of its values, and the texts that are on."""

    question: str
    wanted: tuple[tuple[str, ...], ...]
    texts: tuple[str, ...]


def two_files(
    answerer: Answerer,
    pairs: Sequence[Pair],
    batch: int = 8,
    advance: Advance = lambda stage, done, total: None,
) -> list[dict[str, Any]]:
    """A row for each of SETTINGS; `exact_match` is None where two values are asked for."""
    files = filed(answerer, [text for pair in pairs for text in (*pair.texts, together(pair))])
    rows = []
    for place, (asked, on) in enumerate(SETTINGS, 1):
        waiting = [one for pair in pairs for one in questions(pair, asked, on)]
        outcomes: list[Outcome] = []
        for start in range(0, len(waiting), batch):
            cases = [
                _case(answerer, one, [files[text] for text in one.texts], on)
                for one in waiting[start : start + batch]
            ]
            outcomes += ask(answerer.language_model, cases, MAX_TOKENS)
        rows.append(
            {
                "asked": asked,
                "on": on,
                "questions": len(outcomes),
                "exact_match": None if asked == BOTH else exact_match(outcomes),
                "containment": containment(outcomes),
            }
        )
        advance("two files", place, len(SETTINGS))
    return rows


def together(pair: Pair) -> str:
    """Both facts as one text."""
    return " ".join(pair.texts)


def questions(pair: Pair, asked: str, on: str) -> list[Asked]:
    """What is asked of a pair, with the texts that are on."""
    texts = (together(pair),) if on == ONE else pair.texts
    if asked == BOTH:
        return [Asked(pair.both, pair.answers, texts)]
    return [
        Asked(question, (answers,), (own,) if on == OWN else texts)
        for question, answers, own in zip(pair.questions, pair.answers, pair.texts, strict=True)
    ]


def _case(answerer: Answerer, asked: Asked, files: Sequence[Filed], on: str) -> Case:
    adapter = (
        gated(answerer, asked.question, files).adapter
        if on == GATED
        else fused(answerer.renderer, files)
    )
    return Case(asked.question, asked.wanted, adapter)
