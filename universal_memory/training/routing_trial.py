"""Questions that one file of a set answers and no other, put to a router.

Near-duplicates stay in the set; a question is only asked where its words leave no choice
(`Ambiguity`). Every second question finds its own file taken out: whatever is found then is wrong,
and the router should say so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.routing.calibration import Calibration, rivals
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pieces import Lists
from universal_memory.routing.router import SHORTLIST, RoutedQuestion, Router
from universal_memory.training.ambiguity import Ambiguity
from universal_memory.training.corpora import EpisodeSample
from universal_memory.training.relevance import (
    auroc,
    calibration_error,
    fit_logistic,
    reliability,
)

CONSIDERED = 3  # files whose relevance a robot looks at
_BATCH = 512

# The files nearest to a question by cosine: their numbers and passports.
Shortlist = Callable[[NDArray[np.float32], int], tuple[NDArray[np.int64], NDArray[np.float32]]]


@dataclass(frozen=True)
class TrialQuestion:
    """A question and the number of the only file that answers it."""

    text: str
    file: int


@dataclass(frozen=True)
class Verdict:
    """What the router found: numbers and log-odds of files, best first.

    `place`: of the right file by relevance, from 0; SHORTLIST if it was not found. `near`: the same
    by cosine alone. `others`: log-odds as if the right file were not there.
    """

    files: tuple[int, ...]
    logits: tuple[float, ...]
    place: int
    near: int
    others: tuple[float, ...]

    def calibrated(self, calibration: Calibration) -> Verdict:
        """The same with calibrated log-odds, from those of an uncalibrated router."""
        return replace(
            self,
            logits=tuple(calibration(self.logits).tolist()),
            others=tuple(calibration(self.others).tolist()),
        )


def unambiguous(
    episodes: Sequence[EpisodeSample], ambiguity: Ambiguity, files: range, count: int, seed: int
) -> tuple[list[TrialQuestion], float]:
    """Up to `count` questions about different `files`, and the share of facts that allow one."""
    random = Random(f"{seed} questions")
    found: list[TrialQuestion] = []
    tried = 0
    for file in random.sample(files, len(files)):
        if len(found) == count:
            break
        fact = random.choice(episodes[file].facts)
        tried += 1
        if not ambiguity.rivals(file, fact):
            found.append(TrialQuestion(random.choice(fact.questions).text, file))
    return found, len(found) / max(1, tried)


@torch.inference_mode()
def passports_of(passports: PassportEncoder, read: Sequence[list[int]]) -> NDArray[np.float32]:
    """Passports of files whose word pieces are known: float32 [files, 1024]."""
    parts = [
        passports.of_pieces(Lists.of(read[start : start + _BATCH])).numpy()
        for start in range(0, len(read), _BATCH)
    ]
    return np.concatenate(parts)


def exact(passports: NDArray[np.float32], files: NDArray[np.int64] | None = None) -> Shortlist:
    """Search by comparing with every passport, of `files` alone if given."""
    numbers = np.arange(len(passports)) if files is None else files
    there = passports[numbers]

    def search(vector: NDArray[np.float32], k: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
        cosines = there @ vector
        best = np.argpartition(-cosines, min(k, len(cosines) - 1))[:k]
        best = best[np.argsort(-cosines[best])]
        return numbers[best], there[best]

    return search


def judge(
    router: Router,
    asked: RoutedQuestion,
    own: int,
    search: Shortlist,
    read: Sequence[Sequence[int]],
) -> Verdict:
    """Put one question; `read`: the word pieces of every file."""
    numbers, passports = search(asked.vector, SHORTLIST)
    near = list(zip(numbers.tolist(), passports, strict=True))

    def pieces(files: Sequence[int]) -> list[Sequence[int]]:
        return [read[file] for file in files]

    ranked = router.rank(asked, near, pieces)
    # The right file, where it is there, is a rival of the others.
    others = [(file, passport) for file, passport in near if file != own]
    without = router.rank(asked, others, pieces) if len(others) < len(near) else ranked
    files = [file for file, _ in ranked]
    return Verdict(
        tuple(files),
        tuple(logit for _, logit in ranked),
        files.index(own) if own in files else SHORTLIST,
        numbers.tolist().index(own) if own in numbers else SHORTLIST,
        tuple(logit for _, logit in without),
    )


def relevance_samples(
    verdicts: Sequence[Verdict], questions: Sequence[TrialQuestion]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Log-odds, those of all rivals, and outcome of what a robot looks at.

    Every second right file is taken out.
    """
    own: list[float] = []
    against: list[float] = []
    outcomes: list[float] = []
    for number, (verdict, question) in enumerate(zip(verdicts, questions, strict=True)):
        found = verdict.others if number % 2 else verdict.logits
        own += found[:CONSIDERED]
        against += rivals(np.array(found))[:CONSIDERED].tolist()
        if number % 2:
            outcomes += [0.0] * len(found[:CONSIDERED])
        else:
            outcomes += [float(file == question.file) for file in verdict.files[:CONSIDERED]]
    return (
        torch.tensor(own).double(),
        torch.tensor(against).double(),
        torch.tensor(outcomes).double(),
    )


def calibrate(verdicts: Sequence[Verdict], questions: Sequence[TrialQuestion]) -> Calibration:
    """What makes probabilities of log-odds, and of those of rivals (after Platt 1999)."""
    own, against, outcomes = relevance_samples(verdicts, questions)
    slope, rivalry, offset = fit_logistic(torch.stack([own, against], dim=1), outcomes)
    return Calibration(slope, -rivalry, offset)


def known_from_unknown(verdicts: Sequence[Verdict], unknown: Sequence[float]) -> float:
    """AUROC of the best log-odds of questions with an answer against those of ones without."""
    known = [verdict.logits[0] for verdict in verdicts]
    both = torch.tensor([*known, *unknown]).double()
    return auroc(both, torch.tensor([1.0] * len(known) + [0.0] * len(unknown)).double())


def scores(verdicts: Sequence[Verdict], questions: Sequence[TrialQuestion]) -> dict[str, Any]:
    """Recall, calibration and how well what is known is told from what is not."""
    places = np.array([verdict.place for verdict in verdicts])
    near = np.array([verdict.near for verdict in verdicts])
    logits, _, outcomes = relevance_samples(verdicts, questions)
    probability = torch.sigmoid(logits)
    return {
        "questions": len(verdicts),
        "recall_at_1": float((places < 1).mean()),
        "recall_at_5": float((places < 5).mean()),
        "cosine_recall_at_1": float((near < 1).mean()),
        "cosine_recall_at_5": float((near < 5).mean()),
        "shortlisted": float((near < SHORTLIST).mean()),
        "calibration_error": calibration_error(probability, outcomes),
        "auroc": known_from_unknown(verdicts, [verdict.others[0] for verdict in verdicts]),
        "reliability": [vars(one) for one in reliability(probability, outcomes)],
    }
