"""Training of passports and router: it learns, and it goes on where it was cut."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.question import QuestionEncoder
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.training import retrieval
from universal_memory.training.retrieval import RetrievalPlan, RetrievalTraining
from universal_memory.training.retrieval_corpus import RetrievalCorpus


@pytest.fixture(scope="module")
def corpus(tower: TextTower) -> RetrievalCorpus:
    return RetrievalCorpus(tower.token_ids, tower.tokenizer.vocab_size, 3, "train", 120)


@pytest.fixture(scope="module")
def reader(tower: TextTower) -> SlotReader:
    return SlotReader(tower.codes.codes)


def begin(
    corpus: RetrievalCorpus, reader: SlotReader, checkpoint: Path, **plan: Any
) -> RetrievalTraining:
    torch.manual_seed(1)
    values = {"steps": 4, "memories": 16, "questions": 1, "wrong": 5, "warmup": 2, **plan}
    questions = QuestionEncoder(len(reader.codes))
    passports = PassportEncoder(reader, questions.pieces)
    retrieval.start(passports, questions, corpus)
    return RetrievalTraining(
        corpus, passports, questions, RetrievalPlan(**values), checkpoint, report=lambda _: None
    )


def test_questions_find_their_memories(
    corpus: RetrievalCorpus, reader: SlotReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = begin(corpus, reader, tmp_path / "c.pt", steps=16)
    batch = corpus.batch(random.Random(3), 16, 1)
    monkeypatch.setattr(corpus, "batch", lambda *_: batch)
    first = training._train_step()
    training.run()
    last = training._train_step()
    for loss in retrieval.WEIGHTS:
        assert last[loss] < first[loss], loss
    assert last["order"] < 0.5 * first["order"]
    assert last["recall_at_1"] >= 0.75
    assert last["verified_at_1"] >= 0.5


def test_resumed_run_is_the_uninterrupted_one(
    corpus: RetrievalCorpus, reader: SlotReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = begin(corpus, reader, tmp_path / "whole.pt")
    whole.run()
    cut = begin(corpus, reader, tmp_path / "cut.pt", checkpoint_minutes=0.0)
    train_step = cut._train_step

    def until_the_power_goes() -> dict[str, float]:
        if cut.step == 2:
            raise KeyboardInterrupt
        return train_step()

    monkeypatch.setattr(cut, "_train_step", until_the_power_goes)
    with pytest.raises(KeyboardInterrupt):
        cut.run()
    resumed = begin(corpus, reader, tmp_path / "cut.pt")
    assert (resumed.step, resumed.progress) == (2, 0.5)
    resumed.run()
    for one, other in zip(resumed.networks.parameters(), whole.networks.parameters(), strict=True):
        assert torch.equal(one, other)


def test_both_sides_start_alike(
    corpus: RetrievalCorpus, reader: SlotReader, tmp_path: Path
) -> None:
    training = begin(corpus, reader, tmp_path / "c.pt")
    passports, questions = training.passports, training.questions
    assert torch.equal(passports.head.linear.weight, questions.head.linear.weight)
    rare, common = corpus.rare.frequency.argmin(), corpus.rare.frequency.argmax()
    assert questions.emphasis[rare] > questions.emphasis[common] + 1


def test_batches_hold_each_file_once_and_mask_its_rivals(corpus: RetrievalCorpus) -> None:
    batch = corpus.batch(random.Random(0), 60, 2)
    questions, files = batch.rivals.shape
    assert files == len(batch.files.starts)
    assert questions == len(batch.questions.starts) == len(batch.right)
    assert 0 <= int(batch.right.min()) <= int(batch.right.max()) < files
    assert not batch.rivals[torch.arange(questions), batch.right].any()


def test_same_seed_same_batch(corpus: RetrievalCorpus) -> None:
    one, other = (corpus.batch(random.Random(7), 30, 2) for _ in range(2))
    assert torch.equal(one.files.ids, other.files.ids)
    assert torch.equal(one.questions.ids, other.questions.ids)
