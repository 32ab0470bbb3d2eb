"""What a model predicts with memories on and without; a tiny random one: it knows nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from house import House, said
from tiny_models import assert_untouched, parameters_of

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.memory.mark import Mark
from universal_memory.memory.store import MemoryStore
from universal_memory.rendering.adapter import attach
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.compiler import Compiler
from universal_memory.runtime.inspection import QUESTIONS
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.runtime.prediction import MOST_TOKENS, Prediction, Predictor, nats
from universal_memory.training.batches import RECITE

TEA, LADDER = "Anna said: my tea should be weak.", "Ben said: the ladder is in the hall."


def loss(model: LanguageModel, text: str) -> np.ndarray:
    """Negative log-likelihood of the tokens of a text after "Recall.", one prefix at a time."""
    prompt = model.prompt_ids(RECITE)
    tokens = model.tokenizer.encode(text, add_special_tokens=False)
    found = []
    for place, token in enumerate(tokens):
        ids = torch.tensor([[*prompt, *tokens[:place]]])
        found.append(-float(model.model(ids).logits[0, -1].log_softmax(-1)[token]))
    return np.array(found, np.float32)


def test_nats_are_those_of_the_model_with_the_adapter_and_without(house: House) -> None:
    assert QUESTIONS[0] == RECITE
    (tea,) = house.remember(TEA)
    model = house.answerer.language_model
    before = parameters_of(model.model)
    adapter = house.answerer.prepare("?", top_k=1, min_relevance=0.0, among=[tea]).adapter
    assert adapter is not None and adapter.attention is not None
    known, alone = nats(model, TEA, adapter)
    np.testing.assert_allclose(alone, loss(model, TEA), atol=1e-4)
    with attach(model.model, model.architecture, adapter):
        np.testing.assert_allclose(known, loss(model, TEA), atol=1e-3)
    assert_untouched(model.model, before)


def test_a_text_that_is_too_long_is_predicted_as_far_as_it_is_read(house: House) -> None:
    model = house.answerer.language_model
    known, alone = nats(model, "word " * 500, house.answerer.renderer.manner())
    room = model.context - len(model.prompt_ids(RECITE))
    assert len(known) == len(alone) == min(MOST_TOKENS, room)


def test_surprise_is_what_neither_routing_nor_the_model_knows() -> None:
    alone, known = np.array([8.0, 2.0], np.float32), np.array([0.0, 30.0], np.float32)
    even = Prediction(alone, known, log_odds=0.0)
    assert even.explained == pytest.approx(0.8)
    assert even.surprise == pytest.approx(0.5 * 0.2)
    assert Prediction(alone, known, log_odds=-500.0).surprise == pytest.approx(0.2)
    assert Prediction(alone, alone, log_odds=-500.0).surprise == pytest.approx(1.0)
    assert Prediction(alone, known, log_odds=500.0).surprise == pytest.approx(0.0)
    assert Prediction.of_nothing().surprise == pytest.approx(1.0)


def test_nothing_is_known_until_it_is_expected_or_in_the_store(house: House) -> None:
    predictor = Predictor(house.answerer)
    assert predictor.predict(TEA).log_odds == -np.inf
    passport = house.answerer.passport_encoder.passports(house.answerer.space.encode([TEA]))[0]
    house.router.signs[TEA] = passport
    predictor.expect(TEA)
    expected = predictor.predict(TEA)
    assert expected.relevance > 0.5 and len(expected.alone) > 0
    predictor.begin()
    assert predictor.predict(TEA).log_odds == -np.inf
    (tea,) = house.remember(TEA)
    predictor.begin()
    stored = predictor.predict(TEA)
    assert stored.log_odds == pytest.approx(expected.log_odds, abs=1e-2)
    np.testing.assert_allclose(stored.known, expected.known, atol=1e-3)
    predictor.begin(among=[])
    assert predictor.predict(TEA).log_odds == -np.inf
    predictor.begin()
    house.store.forget(tea)
    assert len(predictor.predict(TEA).alone) == 0, "a memory that is gone predicts nothing"


def test_what_is_superseded_is_known_no_longer(house: House) -> None:
    (tea,) = house.remember(TEA)
    (ladder,) = house.remember(LADDER)
    predictor = Predictor(house.answerer)
    predictor.begin()
    assert predictor.predict(TEA).log_odds > -np.inf
    house.store.marks.add([Mark(tea, ladder, 0.9)])
    predictor.begin(among=[tea])
    assert predictor.predict(TEA).log_odds == -np.inf
    house.store.forget(ladder)
    predictor.begin()
    assert predictor.predict(TEA).log_odds > -np.inf


def test_what_is_about_something_else_surprises_without_the_model(house: House) -> None:
    house.remember(LADDER)
    predictor = Predictor(house.answerer)
    house.router.signs[LADDER] = house.store.get(house.store.ids()[0]).passport
    there = predictor.predict(TEA)
    assert len(there.alone) == 0 and there.log_odds < 0
    assert predictor.surprise(TEA) == there.surprise > 0.8


@pytest.mark.slow
def test_known_facts_in_other_words_surprise_less_than_changes_and_news(tmp_path: Path) -> None:
    known = ("Anna keeps her keys in the blue drawer.", "Tool battery() returned percent=90.")
    again = ("The keys of Anna are in the blue drawer.", "Tool battery() returned percent=88.")
    changed = "Anna keeps her keys in the garden shed."
    new = ("Tom's dentist is Laura Hill.", "Sign reads: library closed on Monday.")
    with MemoryStore(tmp_path / "store") as store, RollingBuffer(tmp_path / "b.sqlite") as buffer:
        for number, text in enumerate(known, 1):
            buffer.append(said(100 * number, text))
        Compiler.load(store, buffer).compile(0, flush=True)
        predictor = Predictor(Answerer.load(store))
        least = min(predictor.surprise(text) for text in new)
        assert max(predictor.surprise(text) for text in again) < predictor.surprise(changed)
        assert predictor.surprise(changed) < least
        predictor.expect(new[0])
        assert predictor.surprise("Laura Hill is the dentist of Tom.") < least
