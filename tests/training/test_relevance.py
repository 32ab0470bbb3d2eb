"""The statistics that calibrate relevance."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from universal_memory.training.relevance import (
    auroc,
    calibration_error,
    fit_logistic,
    reliability,
)


def test_logistic_is_recovered() -> None:
    drawn = torch.Generator().manual_seed(0)
    x = torch.rand(8000, generator=drawn, dtype=torch.float64) * 2 - 1
    y = (torch.rand(8000, generator=drawn) < torch.sigmoid(6 * x - 2)).double()
    slope, offset = fit_logistic(x.unsqueeze(1), y)
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


def test_reliability_holds_every_forecast_once() -> None:
    said = torch.tensor([0.02, 0.04, 0.55, 1.0]).double()
    table = reliability(said, torch.tensor([0.0, 1, 1, 1]))
    assert [(one.low, one.high, one.count) for one in table] == [
        (0.0, 0.1, 2),
        (0.5, 0.6, 1),
        (0.9, 1.0, 1),
    ]
    assert [one.true for one in table] == [0.5, 1.0, 1.0]
    assert table[0].said == pytest.approx(0.03)
