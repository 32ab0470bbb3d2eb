"""What one memory says alone, and which passports are near."""

from __future__ import annotations

import pytest
from house import House
from tiny_models import assert_untouched, parameters_of

from universal_memory.runtime.inspection import QUESTIONS, neighbours, replies
from universal_memory.training.batches import RECITE

TEXTS = ("Anna said: my tea should be weak.", "Ben said: the ladder is in the hall.")


def test_a_memory_is_asked_alone_however_little_relevant(house: House) -> None:
    first, second = house.remember(*TEXTS)
    answerer = house.answerer
    before = parameters_of(answerer.language_model.model)
    found = replies(answerer, second, ["Who?", "Where?"])
    assert [one.question for one in found] == ["Who?", "Where?"]
    house.lead("Where?", second)
    alone = answerer.answer("Where?", top_k=1)
    assert [hit.id for hit in alone.hits] == [second]
    assert found[1].answer == alone.answer
    assert found[1].relevance < alone.hits[0].relevance
    assert replies(answerer, first, ["Where?"])[0].answer != found[1].answer
    assert_untouched(answerer.language_model.model, before)


def test_the_first_question_is_what_renderers_are_trained_to_recite_at() -> None:
    assert QUESTIONS[0] == RECITE


def test_neighbours_leave_the_memory_itself_out(house: House) -> None:
    ids = house.remember(*TEXTS, "Sign reads: pharmacy room 12.")
    file = house.store.get(ids[0])
    found = neighbours(house.answerer.index, file, 5)
    assert {memory_id for memory_id, _ in found} == set(ids[1:])
    assert found[0][1] >= found[1][1]
    cosine = float(house.store.get(found[0][0]).passport @ file.passport)
    assert found[0][1] == pytest.approx(cosine, abs=1e-3)
    assert neighbours(house.answerer.index, file, 1) == found[:1]
