"""
What is recalled when only half of a stretch of life is remembered: by surprise, by chance, by age.

The files of what was known before are always there; the budget is for the stretch. Questions are
for its news. `momentum` is tried with the moments that matter scattered and in runs, where it ought
to help. Controls: nothing of the stretch, and the answers' files swapped with another question's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from statistics import fmean
from typing import Any

import numpy as np

from universal_memory.benchmarks.recall import (
    Advance,
    Case,
    Outcome,
    ask,
    containment,
    exact_match,
    filed,
)
from universal_memory.benchmarks.surprise_stream import (
    IMPORTANT,
    ROUTINE,
    Moment,
    Stretch,
    stretch,
)
from universal_memory.runtime.answer import Prepared
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.prediction import Prediction, Predictor
from universal_memory.runtime.surprise import Momentum, most_surprising
from universal_memory.training.corpora import Question

MAX_TOKENS = 24
CANDIDATES: dict[str, Callable[[Prediction], float]] = {
    "surprise": lambda one: one.surprise,
    "routing alone": lambda one: -one.log_odds,
    "better of both models alone": lambda one: -one.explained,
}


def surprise(
    answerer: Answerer,
    news: int,
    split: str = "new_combinations",
    seed: int = 20261122,
    kind: str = ROUTINE,
    budget: float = 0.5,
    momentum: float = 0.5,
    run: int = 4,
    chances: int = 5,
    batch: int = 8,
    advance: Advance = lambda stage, done, total: None,
) -> dict[str, Any]:
    """Rows of recall (`rows`), what was kept (`kept`), and how candidates tell news (`telling`).

    `chances`: how many random choices; their row is the mean. `advance` is told (stage, done,
    total).
    """
    scattered = stretch(news, split, seed, kind)
    runs = stretch(news, split, seed, kind, run)
    files = filed(answerer, [*scattered.known, *(moment.text for moment in scattered.moments)])
    asked = Interview(answerer, scattered, {text: file.id for text, file in files.items()}, batch)
    predictions = _predicted(answerer, scattered, asked.known, advance)
    momentary = {text: one.surprise for text, one in predictions.items()}
    chosen = {
        "everything": [True] * len(scattered.moments),
        "surprise": _by_surprise(scattered, momentary, budget, 0.0, seed),
        f"surprise, momentum {momentum}": _by_surprise(
            scattered, momentary, budget, momentum, seed
        ),
        "the newest": _newest(scattered, budget),
        "nothing": [False] * len(scattered.moments),
    }
    rows, kept = [], []
    for name, keep in chosen.items():
        rows.append({"remembered": name, **asked.score(scattered.moments, keep)})
        kept.append({"remembered": name, **_shares(scattered.moments, keep)})
        advance("asking", len(rows), len(chosen) + chances + 2)
    in_runs = {
        f"in runs of {run}: surprise": _by_surprise(runs, momentary, budget, 0.0, seed),
        f"in runs of {run}: surprise, momentum {momentum}": _by_surprise(
            runs, momentary, budget, momentum, seed
        ),
    }
    for name, keep in in_runs.items():
        rows.append({"remembered": name, **asked.score(runs.moments, keep)})
        kept.append({"remembered": name, **_shares(runs.moments, keep)})
        advance("asking", len(rows), len(chosen) + chances + 2)
    scores = []
    for chance in range(chances):
        keep = _by_chance(scattered, budget, f"{seed} {chance}")
        scores.append(asked.score(scattered.moments, keep))
        advance("asking", len(rows) + chance + 1, len(chosen) + chances + 2)
    rows.append({"remembered": "by chance", **_mean_of(scores)})
    rows.append({"remembered": "everything, files swapped", **asked.swapped(scattered.moments)})
    return {
        "rows": rows, "kept": kept, "telling": _telling(scattered.moments, predictions),
        "moments": dict(Counter(moment.kind for moment in scattered.moments)),
        "known": len(scattered.known),
    }  # fmt: skip


class Interview:
    """Asks for the news of a stretch; the same files on, the same answer, said once."""

    def __init__(self, answerer: Answerer, of: Stretch, ids: dict[str, str], batch: int) -> None:
        self._answerer, self._ids, self._batch = answerer, ids, batch
        self.known = [ids[text] for text in of.known]
        self._said: dict[tuple[str, tuple[tuple[str, float], ...]], Outcome] = {}

    def score(self, moments: Sequence[Moment], keep: Sequence[bool]) -> dict[str, float]:
        """Recall with these moments remembered, and how many files there are of them."""
        there = {self._ids[one.text] for one, kept in zip(moments, keep, strict=True) if kept}
        among = [*dict.fromkeys([*self.known, *sorted(there)])]
        questions = [question for _, question in _questions(moments)]
        ready = [self._ready(question, among) for question in questions]
        return {"files": float(len(there)), **self._recall(questions, ready)}

    def swapped(self, moments: Sequence[Moment]) -> dict[str, float]:
        """Recall where every question gets what was put on for the next one."""
        among = [*dict.fromkeys(self._ids.values())]
        questions = [question for _, question in _questions(moments)]
        ready = [self._ready(question, among) for question in questions]
        return {
            "files": float(len(among) - len(self.known)),
            **self._recall(questions, [*ready[1:], ready[0]]),
        }

    def _ready(self, question: Question, among: Sequence[str]) -> Prepared:
        return self._answerer.prepare(question.text, among=among)

    def _recall(self, questions: Sequence[Question], ready: Sequence[Prepared]) -> dict[str, float]:
        keys = [
            (question.text, tuple((hit.id, round(hit.gate, 3)) for hit in one.hits))
            for question, one in zip(questions, ready, strict=True)
        ]
        new = {
            key: Case(question.text, (question.answers,), one.adapter)
            for key, question, one in zip(keys, questions, ready, strict=True)
            if key not in self._said
        }
        waiting = list(new.items())
        for start in range(0, len(waiting), self._batch):
            part = waiting[start : start + self._batch]
            outcomes = ask(self._answerer.language_model, [case for _, case in part], MAX_TOKENS)
            self._said.update(zip((key for key, _ in part), outcomes, strict=True))
        outcomes = [self._said[key] for key in keys]
        return {"exact_match": exact_match(outcomes), "containment": containment(outcomes)}


def _predicted(
    answerer: Answerer, of: Stretch, known: Sequence[str], advance: Advance
) -> dict[str, Prediction]:
    """What is predicted of every moment by what was known before it."""
    predictor = Predictor(answerer)
    predictor.begin(known)
    found: dict[str, Prediction] = {}
    for number, moment in enumerate(of.moments, 1):
        found[moment.text] = predictor.predict(moment.text)
        predictor.expect(moment.text)
        advance("surprise", number, len(of.moments))
    return found


def _by_surprise(
    of: Stretch, momentary: dict[str, float], budget: float, momentum: float, seed: int
) -> list[bool]:
    going_on = Momentum(momentum)
    episodes = of.episodes(seed)
    totals = [going_on.add(episode, momentary[episode.text]) for episode in episodes]
    return most_surprising(totals, budget)


def _newest(of: Stretch, budget: float) -> list[bool]:
    return most_surprising(list(range(len(of.moments))), budget)


def _by_chance(of: Stretch, budget: float, seed: str) -> list[bool]:
    random = Random(seed)
    return most_surprising([random.random() for _ in of.moments], budget)


def _questions(moments: Sequence[Moment]) -> list[tuple[str, Question]]:
    """A question for every news, in an order that is not the stretch's."""
    return sorted(
        (moment.text, moment.fact.questions[0]) for moment in moments if moment.fact is not None
    )


def _shares(moments: Sequence[Moment], keep: Sequence[bool]) -> dict[str, float]:
    """Of every kind of moments, the share that is kept."""
    kept = Counter(one.kind for one, there in zip(moments, keep, strict=True) if there)
    every = Counter(moment.kind for moment in moments)
    return {kind: kept[kind] / count for kind, count in every.items()}


def _telling(moments: Sequence[Moment], predictions: dict[str, Prediction]) -> list[dict[str, Any]]:
    """Of candidates for surprise, the areas under the ROC: what matters against routine."""
    rows = []
    for name, value in CANDIDATES.items():
        values = {moment.text: value(predictions[moment.text]) for moment in moments}
        routine = [values[one.text] for one in moments if one.kind not in IMPORTANT]
        row: dict[str, Any] = {"candidate": name}
        for kind in IMPORTANT:
            row[kind] = area([values[one.text] for one in moments if one.kind == kind], routine)
        rows.append(row)
    return rows


def area(above: Sequence[float], below: Sequence[float]) -> float:
    """The area under the ROC: how often one of `above` is above one of `below`."""
    one, other = np.array(above)[:, None], np.array(below)[None]
    return float(((one > other) + 0.5 * (one == other)).mean())


def _mean_of(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    exact = [score["exact_match"] for score in scores]
    mean = {name: fmean(score[name] for score in scores) for name in scores[0]}
    return {**mean, "least": min(exact), "most": max(exact)}
