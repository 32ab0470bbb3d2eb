"""Scores of answers, after SQuAD normalisation (Rajpurkar et al. 2016), and their summary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from universal_memory.runtime.questionnaire import contains, normalised

STAGES = ("route", "load", "render", "generate")


@dataclass(frozen=True)
class Score:
    """One answer's score, its prompt length, and the milliseconds of every stage."""

    exact: bool
    f1: float
    contained: bool
    prompt_tokens: int
    milliseconds: dict[str, float] = field(default_factory=dict)


def score(
    answer: str, accepted: Sequence[str], prompt_tokens: int, milliseconds: dict[str, float]
) -> Score:
    """The best score of `answer` over all accepted ones."""
    return Score(
        exact=any(normalised(answer) == normalised(one) for one in accepted),
        f1=max((token_f1(answer, one) for one in accepted), default=0.0),
        contained=contains(answer, accepted),
        prompt_tokens=prompt_tokens,
        milliseconds=milliseconds,
    )


def token_f1(answer: str, accepted: str) -> float:
    """F1 over the words of two normalised texts."""
    said, wanted = normalised(answer).split(), normalised(accepted).split()
    common = sum((Counter(said) & Counter(wanted)).values())
    if not common:
        return float(said == wanted)
    precision, recall = common / len(said), common / len(wanted)
    return 2 * precision * recall / (precision + recall)


def summary(scores: Sequence[Score]) -> dict[str, float]:
    """Means of the scores, and p50/p95 of every stage [ms]."""
    row = {
        "questions": float(len(scores)),
        "exact_match": float(np.mean([one.exact for one in scores])),
        "f1": float(np.mean([one.f1 for one in scores])),
        "containment": float(np.mean([one.contained for one in scores])),
        "prompt_tokens": float(np.mean([one.prompt_tokens for one in scores])),
    }
    for stage in STAGES:
        times = [one.milliseconds.get(stage, 0.0) for one in scores]
        row[f"{stage}_ms_p50"] = float(np.percentile(times, 50))
        row[f"{stage}_ms_p95"] = float(np.percentile(times, 95))
    return row
