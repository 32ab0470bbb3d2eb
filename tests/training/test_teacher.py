"""The text tower as a question encoder, to compare the router with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from universal_memory.routing.calibration import Calibration
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.reranker import Reranker
from universal_memory.routing.router import Router
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import CONTEXT_WIDTH, TextTower
from universal_memory.training import router_job, teacher
from universal_memory.training.teacher import TeacherTraining, TowerQuestionEncoder, compare


@pytest.fixture
def space(small_tower: TextTower) -> SemanticSpace:
    torch.manual_seed(0)
    return SemanticSpace(small_tower, UniversalEncoder(blocks=1), "test/1")


@pytest.fixture
def questions() -> QuestionEncoder:
    torch.manual_seed(0)
    return QuestionEncoder().requires_grad_(False)


def test_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    encoder = TowerQuestionEncoder(hidden=64).requires_grad_(False)
    states = torch.randn(2, 9, CONTEXT_WIDTH)
    mask = torch.tensor([[True] * 9, [True] * 5 + [False] * 4])
    torch.testing.assert_close(
        encoder(states, mask)[1:], encoder(states[1:, :5], mask[1:, :5]), atol=1e-6, rtol=0
    )


def test_it_learns_and_is_compared_on_the_same_files(
    space: SemanticSpace,
    questions: QuestionEncoder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(teacher, "QUESTIONS", 8)
    monkeypatch.setattr(teacher, "WARMUP", 2)
    monkeypatch.setattr(router_job, "CALIBRATION_FILES", 40)
    monkeypatch.chdir(tmp_path)
    passports = PassportEncoder(space.reader, questions.pieces).requires_grad_(False)
    training = TeacherTraining(space, passports, files=24, seed=1)
    losses = [training.train_step(0.1)["order"] for _ in range(12)]
    assert sum(losses[-3:]) < sum(losses[:3])
    reranker = Reranker(questions.pieces)
    router = Router(space.tower.token_ids, questions, reranker, Calibration())
    figures = compare(training, passports, router, report=lambda _: None)
    assert figures["files"] == 40
    for name in ("tower", "router"):
        assert 0 <= figures[f"{name}_recall_at_1"] <= figures[f"{name}_recall_at_5"] <= 1
