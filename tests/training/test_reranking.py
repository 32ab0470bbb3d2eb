"""Training of the reranker: on what a router takes for right, and on from where it was cut."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.reranker import Reranker
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.training import retrieval
from universal_memory.training.reranking import RerankerTraining, RerankingPlan
from universal_memory.training.retrieval_corpus import RetrievalCorpus
from universal_memory.training.shortlists import Shortlists, shortlists

WRONG = 6


@pytest.fixture(scope="module")
def corpus(tower: TextTower) -> RetrievalCorpus:
    return RetrievalCorpus(tower.token_ids, tower.tokenizer.vocab_size, 3, "train", 150)


@pytest.fixture(scope="module")
def questions(tower: TextTower) -> QuestionEncoder:
    torch.manual_seed(0)
    return QuestionEncoder(tower.tokenizer.vocab_size).requires_grad_(False)


@pytest.fixture(scope="module")
def found(corpus: RetrievalCorpus, questions: QuestionEncoder, tower: TextTower) -> Shortlists:
    passports = PassportEncoder(SlotReader(tower.codes.codes), questions.pieces)
    retrieval.start(passports, questions, corpus)
    return shortlists(corpus, passports, questions, WRONG, 0, lambda _: None)


def begin(
    corpus: RetrievalCorpus, found: Shortlists, encoder: QuestionEncoder, path: Path, **plan: Any
) -> RerankerTraining:
    torch.manual_seed(1)
    values = {"steps": 4, "questions": 12, "wrong": 3, "warmup": 2, **plan}
    reranker = Reranker(encoder.pieces, width=32)
    return RerankerTraining(
        corpus, found, reranker, RerankingPlan(**values), path, report=lambda _: None
    )


def test_the_right_file_is_first_and_its_rivals_left_out(
    corpus: RetrievalCorpus, found: Shortlists
) -> None:
    assert found.files.shape == found.verified.shape == (150, 1 + WRONG)
    assert torch.equal(found.files[:, 0], torch.arange(150))
    for file, row in enumerate(found.files.tolist()):
        assert len(set(row)) == 1 + WRONG
        fact = next(
            fact for fact in corpus.facts[file] if found.questions[file] in fact.wordings
        )
        assert not set(row) & set(fact.rivals.tolist())
    wrong = found.verified[:, 1:]
    assert torch.equal(wrong, wrong.sort(1, descending=True).values)  # the likeliest first


def test_it_learns(
    corpus: RetrievalCorpus, found: Shortlists, questions: QuestionEncoder, tmp_path: Path
) -> None:
    training = begin(corpus, found, questions, tmp_path / "c.pt", steps=40, questions=24)
    before = [training.losses(random.Random(seed))[1]["order"] for seed in range(4)]
    training.run()
    after = [training.losses(random.Random(seed))[1]["order"] for seed in range(4)]
    assert sum(after) < 0.8 * sum(before)


def test_resumed_run_is_the_uninterrupted_one(
    corpus: RetrievalCorpus, found: Shortlists, questions: QuestionEncoder, tmp_path: Path
) -> None:
    whole = begin(corpus, found, questions, tmp_path / "whole.pt")
    whole.run()
    cut = begin(corpus, found, questions, tmp_path / "cut.pt")
    for _ in range(2):
        cut._train_step()
        cut.step += 1
    cut.save()
    resumed = begin(corpus, found, questions, tmp_path / "cut.pt")
    assert (resumed.step, resumed.progress) == (2, 0.5)
    resumed.run()
    for one, other in zip(resumed.networks.parameters(), whole.networks.parameters(), strict=True):
        assert torch.equal(one, other)
