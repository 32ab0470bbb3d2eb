"""Learning gates: temperature and threshold follow what the answers lose."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from universal_memory.routing.gates import Gates
from universal_memory.space.text_tower import WrittenTexts
from universal_memory.training.batches import Batch, QuestionSample
from universal_memory.training.gate_job import SHAPE, THRESHOLDS, GateLearning, highest

BELOW = 3.0  # log-odds of the second memory under the first


def batch() -> Batch:
    """Two questions with both of two memories on; the first is the more relevant."""
    none = torch.zeros(0, dtype=torch.int64)
    return Batch(
        ["a", "b"], WrittenTexts(none, none, none),
        [QuestionSample(0, "who", "x"), QuestionSample(0, "what", "y")],
        none, none, none, none, none, none, torch.ones(2, 2),
    )  # fmt: skip


def learning(
    loss: Callable[[Tensor], Tensor], monkeypatch: pytest.MonkeyPatch, start: Gates | None = None
) -> GateLearning:
    """Over a stand-in of a training whose loss is a function of the gates alone."""
    behaviour: Any = SimpleNamespace(
        renderer=nn.Linear(1, 1),
        tower=SimpleNamespace(
            states=lambda _: SimpleNamespace(states=torch.zeros(2, 1), mask=None)
        ),
        encoder=lambda states, mask: states,
        reader=SimpleNamespace(word_pieces=lambda usv: [[1]] * len(usv)),
        loss=lambda given: (loss(given.gates), None),
    )
    router: Any = SimpleNamespace(
        ask=lambda question: question,
        rank=lambda asked, memories, read: [(0, 1.0), (1, 1.0 - BELOW)][: len(memories)],
    )
    passports: Any = SimpleNamespace(passports=lambda usv: np.zeros((len(usv), 4), np.float32))
    monkeypatch.setattr(GateLearning, "_batch", lambda _self, number, shape: batch())
    return GateLearning(behaviour, router, passports, start)


def test_the_second_memory_is_turned_to_where_answers_lose_least(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reports: list[dict[str, Any]] = []
    found = learning(lambda gates: (gates[:, 1] - 0.6).square().mean(), monkeypatch)
    found.learn(120, reports.append)
    assert found.gates()([1.0, 1.0 - BELOW])[1] == pytest.approx(0.6, abs=0.02)
    assert reports[-1]["loss"] < reports[0]["loss"]
    assert not any(one.requires_grad for one in found.behaviour.renderer.parameters())


def test_the_best_memory_always_has_its_whole_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def loss(gates: Tensor) -> Tensor:
        seen.append(gates.detach())
        return gates.sum()

    learning(loss, monkeypatch).learn(3, lambda _values: None)
    assert all(torch.equal(gates[:, 0], torch.ones(2)) for gates in seen)


def test_thresholds_are_tried_as_the_answerer_applies_them(monkeypatch: pytest.MonkeyPatch) -> None:
    start = Gates(half=BELOW, temperature=1.0, drop_below=0.0)
    gate = start([1.0, 1.0 - BELOW])[1]  # about a half
    found = learning(lambda gates: gates[:, 1].mean(), monkeypatch, start)
    losses = found.losses((0.0, 0.4, 0.7), SHAPE)
    assert losses == pytest.approx({0.0: gate, 0.4: gate, 0.7: 0.0})


def test_the_threshold_is_the_highest_that_costs_neither_kind_of_question() -> None:
    flat = dict.fromkeys(THRESHOLDS, 1.0)
    assert highest({"one": flat, "two": flat}) == THRESHOLDS[-1]
    rising = {threshold: 1.0 + (threshold > 0.4) for threshold in THRESHOLDS}
    falling = {threshold: 2.0 - (threshold > 0.25) for threshold in THRESHOLDS}
    assert highest({"one": flat, "two": rising}) == 0.4
    assert highest({"one": falling, "two": rising}) == 0.4
    steep = {threshold: 1.0 + 10 * threshold for threshold in THRESHOLDS}
    assert highest({"one": falling, "two": steep}) == 0.1  # none suits both
