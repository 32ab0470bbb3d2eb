"""Training of the merger: what it is shown, and that it learns it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.merging import WEIGHTS, SlotMerger
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.training import merging
from universal_memory.training.merging import (
    MergingPlan,
    MergingTraining,
    batch_of,
    encoded,
    errors,
    train_merger,
)
from universal_memory.weights import read_card

TEXTS = ["Jaroslav said: my code is B27.", "The NASA keys are here.", "It rains.", "so " * 70]


@pytest.fixture(scope="module")
def space(tower: TextTower) -> SemanticSpace:
    torch.manual_seed(0)
    return SemanticSpace(tower, UniversalEncoder(blocks=0), "test-space")


def test_a_batch_is_what_the_reader_reads(space: SemanticSpace) -> None:
    batch = encoded(space, TEXTS)
    read = space.reader(batch.usv)
    assert torch.equal(batch.reading.taken, read.taken)
    assert batch.reading.parts() == read.parts()
    assert torch.equal(batch.reading.flags[read.taken], read.flags[read.taken])
    assert batch.states.shape == (4, 64, 816)


def test_the_towers_own_states_leave_no_error(
    space: SemanticSpace, monkeypatch: pytest.MonkeyPatch
) -> None:
    merger, batch = SlotMerger(space), encoded(space, TEXTS[:2])
    with torch.no_grad():
        slots, hidden = errors(space, merger, batch, 2)
        assert slots > 0 and hidden > 0.5  # the exact half says nothing of it
        monkeypatch.setattr(merger, "forward", lambda usv, reading: batch.states)
        assert [float(one) for one in errors(space, merger, batch, 2)] == [0.0, 0.0]


def test_groups_without_room_are_left_out(space: SemanticSpace) -> None:
    long = encoded(space, [TEXTS[3], TEXTS[0]])
    slots, _ = errors(space, SlotMerger(space), long, 2)
    assert float(slots) == 0.0


def test_it_learns(space: SemanticSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    plan = MergingPlan(steps=25, groups=2, files=2, warmup=5, learning_rate=2e-3)
    batch = batch_of(space, 1, "train", 4)
    monkeypatch.setattr(merging, "batch_of", lambda *_: batch)
    told: list[dict[str, Any]] = []
    training = MergingTraining(space, SlotMerger(space), plan, tmp_path / "run.pt", told.append)
    before = sum(errors(space, training.merger, batch, 2))
    training.run()
    assert sum(errors(space, training.merger, batch, 2)) < 0.6 * before
    assert told[-1]["step"] == 20 and {"slots", "hidden"} <= told[-1].keys()
    again = MergingTraining(space, SlotMerger(space), plan, tmp_path / "run.pt", told.append)
    assert again.step == 25 and again.progress == 1.0


def test_weights_come_with_a_card(
    space: SemanticSpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SemanticSpace, "load", lambda: space)
    monkeypatch.setattr(merging, "SCORED", 1)
    small = replace(MergingPlan(), groups=1, files=2)
    monkeypatch.setattr(merging, "MergingPlan", lambda **known: replace(small, **known))
    train_merger(tmp_path / "run", 0.0, 1, 0, lambda values: None, tmp_path / "models")
    card = read_card(tmp_path / "models" / WEIGHTS)
    assert (card["command"], card["space_id"], card["steps"]) == (
        "ump train merger", space.space_id, 1,
    )  # fmt: skip
    assert {"exact_slots_held_out", "learned_hidden_unseen_families"} <= card["scores"].keys()
    assert not SlotMerger.load(space, tmp_path / "models").training
