"""The training loop on a tiny model: it learns, it resumes to the bit, it leaves the base alone."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from tiny_models import assert_untouched, parameters_of
from torch import Tensor

from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.training import batches
from universal_memory.training.alignment import Alignment
from universal_memory.training.batches import Batch, BatchShape, QuestionSample, Speller, collate
from universal_memory.training.behaviour import BehaviourTraining
from universal_memory.training.plan import TrainingPlan
from universal_memory.training.pointed_gates import SHARE, PointedGates

PLACES = ("attic", "hall", "garage", "cellar", "study", "porch")
Reports = list[dict[str, Any]]


def start(
    language_model: LanguageModel,
    tower: TextTower,
    plan: TrainingPlan,
    checkpoint: Path,
    tokens: Tensor,
    train_encoder: bool = True,
    reports: Reports | None = None,
    extra: Alignment | None = None,
) -> BehaviourTraining:
    """A training with parts that are random, and the same every time."""
    torch.manual_seed(1)
    config = RendererConfig.for_architecture(language_model.architecture, "test-space")
    config = replace(config, hidden=64)
    encoder = UniversalEncoder(blocks=1)
    reader = SlotReader(tower.codes.codes, encoder.seating)
    embeddings = TokenEmbeddings(language_model.model)
    return BehaviourTraining(
        language_model,
        tower,
        encoder,
        reader,
        Renderer(config, reader, embeddings, tokens),
        plan,
        checkpoint,
        train_encoder,
        report=(reports if reports is not None else []).append,
        alignment=extra,
    )


def weights(training: BehaviourTraining) -> dict[str, Tensor]:
    return {
        f"{part}.{name}": value.clone()
        for part, module in (
            ("encoder", training.encoder),
            ("reader", training.reader),
            ("renderer", training.renderer),
        )
        for name, value in module.state_dict().items()
    }


@pytest.fixture
def where(language_model: LanguageModel, speller: Speller) -> Batch:
    """One question for six memories: only the memory can tell where the keys are."""
    texts = [f"Mira keeps the keys in the {place}." for place in PLACES]
    asked = [QuestionSample(i, "Where are the keys?", place) for i, place in enumerate(PLACES)]
    return collate(texts, asked, torch.eye(len(PLACES)), language_model, speller)


def test_learns_a_handful_of_facts_from_their_memories(
    language_model: LanguageModel,
    small_tower: TextTower,
    tokens: Tensor,
    where: Batch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BehaviourTraining, "batches", repeat(where))
    plan = TrainingPlan(steps=40, learning_rate=5e-3, accumulate=1, warmup=5)
    reports: Reports = []
    training = start(language_model, small_tower, plan, tmp_path / "c.pt", tokens, reports=reports)
    base = parameters_of(language_model.model)
    with torch.no_grad():
        before, right = training.loss(where)
    assert not right.any()
    training.run()
    with torch.no_grad():
        after, right = training.loss(where)
        where.gates.copy_(where.gates.roll(1, dims=1))
        _, from_another = training.loss(where)
    assert after < 0.5 * before
    assert right.float().mean() >= 5 / 6
    assert from_another.float().mean() <= 1 / 6  # it is the memory, not the question
    first, twenty, forty = reports
    assert first["event"] == "start"
    assert (twenty["step"], forty["step"], forty["progress"]) == (20, 40, 1.0)
    assert forty["loss"] < twenty["loss"]
    assert_untouched(language_model.model, base)


def test_a_shut_word_is_not_said(
    language_model: LanguageModel,
    small_tower: TextTower,
    tokens: Tensor,
    where: Batch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BehaviourTraining, "batches", repeat(where))
    plan = TrainingPlan(steps=40, learning_rate=5e-3, accumulate=1, warmup=5)
    training = start(language_model, small_tower, plan, tmp_path / "c.pt", tokens)
    training.run()
    shares: list[float] = []

    def every_word(gate: float) -> PointedGates:
        def gates(batch: Batch, drawn: random.Random, share: float) -> Tensor:
            shares.append(share)
            return torch.full((*batch.gates.shape, 64), gate)

        return cast(PointedGates, gates)

    for gate, least, most in ((0.0, 0.0, 0.0), (1.0, 5 / 6, 1.0)):
        training.pointed = every_word(gate)
        with torch.no_grad():
            right = float(training.loss(where)[1].float().mean())
        assert least <= right <= most
    training.loss(where)
    assert shares == [1.0, 1.0, SHARE]  # all questions when it is measured


def test_frozen_space_stays_as_it_is(
    language_model: LanguageModel,
    small_tower: TextTower,
    tokens: Tensor,
    where: Batch,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(BehaviourTraining, "batches", repeat(where))
    plan = TrainingPlan(steps=2, accumulate=2)
    training = start(
        language_model, small_tower, plan, tmp_path / "c.pt", tokens, train_encoder=False
    )
    before = weights(training)
    training.run()
    changed = {name for name, value in weights(training).items()
               if not torch.equal(value, before[name])}  # fmt: skip
    assert changed
    assert all(name.startswith("renderer.") for name in changed)


def test_resumed_run_is_the_uninterrupted_one(
    tiny_folder: Path,
    small_tower: TextTower,
    tokens: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "MAX_TOKENS", 128)
    plan = TrainingPlan(
        steps=4, accumulate=1, warmup=2, checkpoint_minutes=0.0,
        shape=BatchShape(memories=8, questions=1),
    )  # fmt: skip

    def begin(name: str) -> BehaviourTraining:
        return start(LanguageModel(str(tiny_folder)), small_tower, plan, tmp_path / name, tokens)

    whole = begin("whole.pt")
    whole.run()

    cut = begin("cut.pt")
    train_step = cut._train_step

    def until_the_power_goes() -> dict[str, float]:
        if cut.step == 2:
            raise KeyboardInterrupt
        return train_step()

    monkeypatch.setattr(cut, "_train_step", until_the_power_goes)
    with pytest.raises(KeyboardInterrupt):
        cut.run()
    resumed = begin("cut.pt")
    assert (resumed.step, resumed.progress) == (2, 0.5)
    resumed.run()
    assert resumed.step == whole.step == 4
    wanted = weights(whole)
    assert all(torch.equal(value, wanted[name]) for name, value in weights(resumed).items())
