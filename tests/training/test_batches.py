"""Batches: every question's answer at its place, every question's memories behind its gates."""

from __future__ import annotations

import random

import pytest
import torch

from universal_memory.runtime.language_model import LanguageModel
from universal_memory.training import batches
from universal_memory.training.batches import (
    BatchShape,
    QuestionSample,
    Speller,
    collate,
    make_batch,
)
from universal_memory.training.corpora import EpisodeGenerator

SAMPLES = [
    QuestionSample(0, "Where are the keys?", "the attic"),
    QuestionSample(1, "Who waters the fern?", "Mira"),
]


def generator() -> EpisodeGenerator:
    return EpisodeGenerator(seed=11, split="train", vocabulary="closed")


def test_targets_follow_the_prompt(language_model: LanguageModel, speller: Speller) -> None:
    def spelled(answer: str) -> list[int]:
        return [*speller(answer), language_model.end_id]

    gates = torch.eye(2)
    batch = collate(["a b", "c"], SAMPLES, gates, language_model, speller)
    for row, sample in enumerate(SAMPLES):
        prompt = language_model.prompt_ids(sample.question)
        mine = batch.rows == row
        assert batch.ids[row, : len(prompt)].tolist() == prompt
        assert batch.targets[mine].tolist() == spelled(sample.answer)
        first = int(batch.positions[mine][0])
        assert first == len(prompt) - 1  # the last token of the prompt is asked for the first
        read = batch.ids[row, first + 1 : first + int(mine.sum())].tolist()
        assert read == spelled(sample.answer)[:-1]
        assert (batch.ids[row, len(prompt) + len(read) :] == language_model.end_id).all()


def test_too_long_questions_are_left_out_with_their_gates(
    language_model: LanguageModel, speller: Speller
) -> None:
    long = QuestionSample(1, "tea " * batches.MAX_TOKENS, "no")
    gates = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    batch = collate(["a", "b"], [SAMPLES[0], long, SAMPLES[1]], gates, language_model, speller)
    assert batch.questions == SAMPLES
    assert torch.equal(batch.gates, gates[[0, 2]])
    assert sorted(set(batch.rows.tolist())) == [0, 1]
    assert batch.ids.shape[1] < batches.MAX_TOKENS


@pytest.mark.parametrize("composition", [0.0, 1.0])
def test_gates_open_the_right_memory_and_a_few_others(
    composition: float,
    language_model: LanguageModel,
    speller: Speller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "MAX_TOKENS", 400)
    shape = BatchShape(memories=8, questions=2, composition=composition, groups=1.0, couples=0.0)
    batch = make_batch(generator(), shape, language_model, speller, random.Random(0))
    assert len(batch.texts) == 8
    opened = batch.gates.sum(1)
    own = torch.tensor([sample.memory for sample in batch.questions])
    assert (batch.gates[torch.arange(len(own)), own] == 1).all()
    assert opened.min() >= 1 + composition
    assert opened.max() <= 1 + 4 * composition
    assert all(
        sample.answer in batch.texts[sample.memory] for sample in batch.questions
    )  # the answer stands verbatim in the text it is asked of


def test_same_seed_same_batch(language_model: LanguageModel, speller: Speller) -> None:
    shape = BatchShape(memories=8)
    first, second = (
        make_batch(generator(), shape, language_model, speller, random.Random(4)) for _ in range(2)
    )
    assert first.texts == second.texts
    assert torch.equal(first.ids, second.ids)
    assert torch.equal(first.gates, second.gates)


def test_answers_are_spelled_piece_by_piece(
    language_model: LanguageModel, speller: Speller
) -> None:
    for answer in ("the attic", "Mira", "at 7:30"):
        assert language_model.tokenizer.decode(speller(answer)) == " " + answer


def test_a_couple_is_asked_of_both_its_memories(
    language_model: LanguageModel, speller: Speller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_TOKENS", 400)
    shape = BatchShape(memories=4, questions=1, composition=0.0, groups=0.0, couples=2.0)
    open_words = EpisodeGenerator(seed=11)
    batch = make_batch(open_words, shape, language_model, speller, random.Random(0))
    both = [row for row, sample in enumerate(batch.questions) if sample.second is not None]
    assert len(both) == 2
    for row in both:
        sample = batch.questions[row]
        first, second = sample.answer.split(" and ", 1)
        assert batch.gates[row].nonzero().flatten().tolist() == [sample.memory, sample.second]
        assert first in batch.texts[sample.memory]
        assert second in batch.texts[sample.memory + 1] or " and " in second
