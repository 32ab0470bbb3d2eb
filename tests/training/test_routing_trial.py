"""Trials of a router: what counts as right, and what is taken out."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from universal_memory.routing.router import SHORTLIST
from universal_memory.training.ambiguity import Ambiguity
from universal_memory.training.retrieval_corpus import generate
from universal_memory.training.routing_trial import (
    TrialQuestion,
    Verdict,
    calibrate,
    exact,
    judge,
    relevance_samples,
    scores,
    unambiguous,
)


class CosineRouter:
    """Log-odds are ten times the cosine, for files that can be read."""

    def rank(self, asked: Any, memories: Any, read: Any) -> list[tuple[int, float]]:
        assert read([file for file, _ in memories]) == [[file] for file, _ in memories]
        found = [(file, 10 * float(passport @ asked.vector)) for file, passport in memories]
        return sorted(found, key=lambda entry: -entry[1])


READ = [[file] for file in range(100)]


@pytest.fixture
def passports() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(100, 1024)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def asked(passports: np.ndarray) -> Any:
    return SimpleNamespace(vector=passports[7])


def test_a_question_that_points_at_a_file_finds_it(passports: np.ndarray) -> None:
    verdict = judge(CosineRouter(), asked(passports), 7, exact(passports), READ)
    assert (verdict.files[0], verdict.place, verdict.near) == (7, 0, 0)
    assert verdict.logits[0] == pytest.approx(10.0, abs=1e-4)
    assert len(verdict.others) == len(verdict.files) - 1
    assert verdict.others == pytest.approx(verdict.logits[1:], abs=1e-5)


def test_a_file_that_is_not_found_is_last(passports: np.ndarray) -> None:
    far = int(np.argmin(passports @ passports[7]))
    verdict = judge(CosineRouter(), asked(passports), far, exact(passports), READ)
    assert verdict.place == verdict.near == SHORTLIST
    assert verdict.others == verdict.logits


def test_questions_have_no_rivals() -> None:
    episodes = generate(5, "train", 200)
    known = Ambiguity(episodes)
    asked, share = unambiguous(episodes, known, range(100, 200), 40, 1)
    assert 0.3 < share <= 1
    assert len({one.file for one in asked}) == len(asked) <= 40
    for one in asked:
        assert 100 <= one.file < 200
        facts = [f for f in episodes[one.file].facts if one.text in {q.text for q in f.questions}]
        assert facts
        assert not known.rivals(one.file, facts[0])


def verdicts() -> tuple[list[Verdict], list[TrialQuestion]]:
    asked = [TrialQuestion("?", file) for file in range(40)]
    found = [
        Verdict((file, 90, 91), (4.0, -3.0, -4.0), 0, 1, (-3.0, -4.0, -5.0)) for file in range(40)
    ]
    return found, asked


def test_every_second_right_file_is_taken_out() -> None:
    logits, against, outcomes = relevance_samples(*verdicts())
    assert len(logits) == len(against) == 120
    assert against[0] < -2 < 3 < against[1]  # the best one is the others' rival
    assert outcomes.sum() == 20
    assert torch.equal(logits > 0, outcomes > 0.5)


def test_scores_of_a_router_that_is_right() -> None:
    found, asked = verdicts()
    figures = scores(found, asked)
    assert figures["recall_at_1"] == figures["auroc"] == figures["cosine_recall_at_5"] == 1.0
    assert figures["cosine_recall_at_1"] == 0.0
    assert sum(one["count"] for one in figures["reliability"]) == 120


def test_calibration_makes_probabilities_of_log_odds() -> None:
    found, asked = verdicts()
    blurred = [
        Verdict(one.files, tuple(5 * x for x in one.logits), 0, 0, tuple(5 * x for x in one.others))
        for one in found
    ]
    blurred[0] = Verdict((90, 0, 91), (20.0, -15.0, -20.0), 1, 1, (20.0, -20.0))
    calibration = calibrate(blurred, asked)
    scaled = [one.calibrated(calibration) for one in blurred]
    before, after = (scores(one, asked)["calibration_error"] for one in (blurred, scaled))
    assert after < before
