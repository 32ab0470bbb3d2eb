"""The stream of batches: the same whoever makes them, and wherever a run begins."""

from __future__ import annotations

from itertools import islice

import pytest
import torch

from universal_memory.runtime.language_model import LanguageModel
from universal_memory.training import batches
from universal_memory.training.batch_stream import BatchStream
from universal_memory.training.batches import Batch, BatchShape, Speller
from universal_memory.training.plan import TrainingPlan

SHAPE = BatchShape(memories=8, questions=1)


@pytest.fixture(autouse=True)
def _room_for_tiny_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_TOKENS", 128)


def same(one: Batch, other: Batch) -> bool:
    return one.texts == other.texts and torch.equal(one.ids, other.ids)


def test_a_batch_is_named_by_its_number(language_model: LanguageModel, speller: Speller) -> None:
    stream = BatchStream(TrainingPlan(shape=SHAPE), language_model, speller)
    first, second, third = islice(stream.start(6), 3)
    assert same(first, stream[6]) and same(third, stream[8])
    assert not same(first, second)  # two parts of a step
    assert same(next(stream.start(8)), third)  # a run that resumes there


def test_workers_make_what_the_run_would_make(
    language_model: LanguageModel, speller: Speller
) -> None:
    plan = TrainingPlan(shape=SHAPE, workers=2)
    stream = BatchStream(plan, language_model, speller)
    stream.progress = 0.5
    for number, batch in enumerate(islice(stream.start(3), 4), start=3):
        assert same(batch, stream[number])
        assert torch.equal(batch.written.marks, stream[number].written.marks)


def test_files_are_composed_once_the_mechanism_is_there(
    language_model: LanguageModel, speller: Speller
) -> None:
    stream = BatchStream(TrainingPlan(shape=SHAPE), language_model, speller)
    assert (stream[120].gates.sum(1) == 1).all()
    stream.progress = 0.6
    assert (stream[120].gates.sum(1) > 1).any()
