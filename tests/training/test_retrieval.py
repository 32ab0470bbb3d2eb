"""Training of passports and router, and the statistics that calibrate relevance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.router import QuestionEncoder
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.retrieval import (
    RetrievalPlan,
    RetrievalTraining,
    auroc,
    calibration_error,
    fit_logistic,
)


@pytest.fixture
def space(small_tower: TextTower) -> SemanticSpace:
    torch.manual_seed(0)
    return SemanticSpace(small_tower, UniversalEncoder(blocks=1), "test-space")


def start(space: SemanticSpace, checkpoint: Path, **plan: Any) -> RetrievalTraining:
    torch.manual_seed(1)
    values = {"steps": 4, "memories": 8, "questions": 1, "warmup": 2, **plan}
    return RetrievalTraining(
        space, PassportEncoder(64), QuestionEncoder(hidden=64), RetrievalPlan(**values), checkpoint,
        report=lambda _: None,
    )  # fmt: skip


def test_questions_find_their_memories(
    space: SemanticSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = start(space, tmp_path / "c.pt", steps=20)
    batch = training._batch(EpisodeGenerator(3), 3)
    monkeypatch.setattr(training, "_batch", lambda *_: batch)
    first = training._train_step()
    training.run()
    last = training._train_step()
    assert last["order"] < 0.5 * first["order"]
    assert last["level"] < first["level"]
    assert last["recall_at_1"] >= 0.75


def test_resumed_run_is_the_uninterrupted_one(
    space: SemanticSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = start(space, tmp_path / "whole.pt")
    whole.run()
    cut = start(space, tmp_path / "cut.pt", checkpoint_minutes=0.0)
    train_step = cut._train_step

    def until_the_power_goes() -> dict[str, float]:
        if cut.step == 2:
            raise KeyboardInterrupt
        return train_step()

    monkeypatch.setattr(cut, "_train_step", until_the_power_goes)
    with pytest.raises(KeyboardInterrupt):
        cut.run()
    resumed = start(space, tmp_path / "cut.pt")
    assert (resumed.step, resumed.progress) == (2, 0.5)
    resumed.run()
    for one, other in zip(resumed.parameters, whole.parameters, strict=True):
        assert torch.equal(one, other)


def test_relevance_reports_what_the_router_needs(space: SemanticSpace, tmp_path: Path) -> None:
    found = start(space, tmp_path / "c.pt").relevance(batches=2)
    assert {"slope", "offset"} < found.keys()
    assert found["memories_in_pool"] == 8
    assert all(0 <= found[name] <= 1 for name in ("recall_at_1", "calibration_error", "auroc"))


def test_logistic_is_recovered() -> None:
    drawn = torch.Generator().manual_seed(0)
    x = torch.rand(8000, generator=drawn, dtype=torch.float64) * 2 - 1
    y = (torch.rand(8000, generator=drawn) < torch.sigmoid(6 * x - 2)).double()
    slope, offset = fit_logistic(x, y)
    assert slope == pytest.approx(6, rel=0.1)
    assert offset == pytest.approx(-2, rel=0.1)


def test_calibration_error_is_the_gap() -> None:
    outcome = torch.tensor([1.0, 1, 1, 1, 0] * 20)
    assert calibration_error(torch.full((100,), 0.8), outcome) == pytest.approx(0.0, abs=1e-6)
    assert calibration_error(torch.full((100,), 0.3), outcome) == pytest.approx(0.5, abs=1e-6)
    assert calibration_error(torch.ones(100), outcome) == pytest.approx(0.2, abs=1e-6)


@settings(max_examples=40)
@given(st.lists(st.booleans(), min_size=2, max_size=30), st.randoms(use_true_random=False))
def test_auroc_is_the_share_of_ordered_pairs(outcomes: list[bool], rng: Any) -> None:
    if len(set(outcomes)) < 2:
        outcomes = [*outcomes, not outcomes[0]]
    scores = rng.sample(range(1000), len(outcomes))
    pairs = [
        float(high > low)
        for high, yes in zip(scores, outcomes, strict=True)
        for low, no in zip(scores, outcomes, strict=True)
        if yes and not no
    ]
    score: Tensor = torch.tensor(scores, dtype=torch.float64)
    found = auroc(score, torch.tensor(outcomes).double())
    assert found == pytest.approx(sum(pairs) / len(pairs))
