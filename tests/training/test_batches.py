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
    SaidTokens,
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


def test_targets_follow_the_prompt(language_model: LanguageModel) -> None:
    gates = torch.eye(2)
    batch = collate(["a b", "c"], SAMPLES, gates, language_model)
    for row, sample in enumerate(SAMPLES):
        prompt = language_model.prompt_ids(sample.question)
        mine = batch.rows == row
        assert batch.ids[row, : len(prompt)].tolist() == prompt
        assert batch.targets[mine].tolist() == language_model.answer_ids(sample.answer)
        first = int(batch.positions[mine][0])
        assert first == len(prompt) - 1  # the last token of the prompt is asked for the first
        read = batch.ids[row, first + 1 : first + int(mine.sum())].tolist()
        assert read == language_model.answer_ids(sample.answer)[:-1]
        assert (batch.ids[row, len(prompt) + len(read) :] == language_model.end_id).all()


def test_too_long_questions_are_left_out_with_their_gates(language_model: LanguageModel) -> None:
    long = QuestionSample(1, "tea " * batches.MAX_TOKENS, "no")
    gates = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    batch = collate(["a", "b"], [SAMPLES[0], long, SAMPLES[1]], gates, language_model)
    assert batch.questions == SAMPLES
    assert torch.equal(batch.gates, gates[[0, 2]])
    assert sorted(set(batch.rows.tolist())) == [0, 1]
    assert batch.ids.shape[1] < batches.MAX_TOKENS


@pytest.mark.parametrize("composition", [0.0, 1.0])
def test_gates_open_the_right_memory_and_a_few_others(
    composition: float, language_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "MAX_TOKENS", 400)
    shape = BatchShape(memories=8, questions=2, composition=composition, groups=1.0)
    batch = make_batch(generator(), shape, language_model, random.Random(0))
    assert len(batch.texts) == 8
    opened = batch.gates.sum(1)
    own = torch.tensor([sample.memory for sample in batch.questions])
    assert (batch.gates[torch.arange(len(own)), own] == 1).all()
    assert opened.min() >= 1 + composition
    assert opened.max() <= 1 + 4 * composition
    assert all(
        sample.answer in batch.texts[sample.memory] for sample in batch.questions
    )  # the answer stands verbatim in the text it is asked of


def test_same_seed_same_batch(language_model: LanguageModel) -> None:
    shape = BatchShape(memories=8)
    first, second = (
        make_batch(generator(), shape, language_model, random.Random(4)) for _ in range(2)
    )
    assert first.texts == second.texts
    assert torch.equal(first.ids, second.ids)
    assert torch.equal(first.gates, second.gates)


def test_said_tokens_are_each_texts_tokens(language_model: LanguageModel) -> None:
    texts = ["Mira waters the fern.", "Box B27 is in the attic of Wolfgang."]
    said = SaidTokens.of(texts, language_model)
    tokenizer = language_model.tokenizer
    for number, text in enumerate(texts):
        ids = tokenizer.encode(" " + text, add_special_tokens=False)
        assert sorted(set(ids)) == said.tokens[said.text == number].tolist()
    endings = tokenizer.convert_ids_to_tokens(said.tokens[said.ending].tolist())
    others = tokenizer.convert_ids_to_tokens(said.tokens[~said.ending].tolist())
    assert endings and all(piece.isalpha() and piece[0] != "Ġ" for piece in endings)
    assert all(piece[0] == "Ġ" or not piece.isalpha() for piece in others)
    assert "27" in others  # digits begin anew
