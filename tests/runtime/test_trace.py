"""A trace names what was put on and why, and takes apart the very answer that is given."""

from __future__ import annotations

import numpy as np
import pytest
from house import House, said
from tiny_models import assert_untouched, parameters_of

from universal_memory.runtime.trace import Trace, trace
from universal_memory.space.seated import seated_pieces

TEXTS = (
    "Anna said: my tea should be weak.",
    "Ben said: the ladder is in the hall.",
    "Sign reads: pharmacy room 12.",
)
QUESTION = "What does it say?"


@pytest.fixture
def ids(house: House) -> list[str]:
    ids = house.remember(*TEXTS)
    house.lead(QUESTION, *ids[:2])
    return ids


def test_the_answer_is_the_answerers(house: House, ids: list[str]) -> None:
    answer = house.answerer.answer(QUESTION, max_tokens=5)
    found = trace(house.answerer, QUESTION, max_tokens=5)
    assert (found.answer, found.source) == (answer.answer, answer.source)
    used = {one.id: (one.relevance, one.gate) for one in found.candidates if one.gate}
    assert used == {hit.id: (hit.relevance, hit.gate) for hit in answer.hits}
    assert found.anatomy is not None
    assert "".join(found.anatomy.tokens).strip() == answer.answer


def test_candidates_tell_why_they_were_left_out(house: House, ids: list[str]) -> None:
    every = trace(house.answerer, QUESTION, min_relevance=0.0, max_tokens=1).candidates
    assert [one.id for one in every] == ids
    assert every[0].cosine > every[2].cosine
    least = (every[1].relevance + every[2].relevance) / 2
    some = trace(house.answerer, QUESTION, "", 1, least, max_tokens=1).candidates
    reasons = [one.left_out for one in some]
    assert reasons == ["", "more than 1 files", f"relevance under {least:g}"]
    assert [one.gate for one in some] == [1.0, 0.0, 0.0]


def test_every_rank_is_of_a_seat_of_a_file(house: House, ids: list[str]) -> None:
    answerer = house.answerer
    anatomy = trace(answerer, QUESTION, max_tokens=4).anatomy
    assert anatomy is not None
    ready = answerer.prepare(QUESTION)
    assert ready.adapter is not None
    manner = answerer.renderer.config.manner_rank
    assert len(anatomy.ranks) == ready.adapter.rank - manner
    for hit in ready.hits:
        seated = seated_pieces(answerer.space, answerer.store.get(hit.id).usv)
        pieces = {piece.seat: piece.text for piece in seated}
        own = [rank for rank in anatomy.ranks if rank.memory_id == hit.id]
        assert {rank.seat: rank.piece for rank in own}.items() <= pieces.items()
        assert all(rank.slot == rank.seat % 16 for rank in own)
    shape = len(anatomy.tokens), len(anatomy.layers), len(anatomy.ranks)
    assert anatomy.fired.shape == anatomy.effect.shape == shape
    assert anatomy.manner.shape == shape[:2]
    assert ((anatomy.probability > 0) & (anatomy.probability <= 1)).all()
    assert not np.allclose(anatomy.probability, anatomy.without)


def test_firings_are_the_strongest_first(house: House, ids: list[str]) -> None:
    anatomy = trace(house.answerer, QUESTION, max_tokens=4).anatomy
    assert anatomy is not None
    top = anatomy.firings(7)
    assert [one.effect for one in top] == sorted((one.effect for one in top), reverse=True)
    assert top[0].effect == pytest.approx(anatomy.effect.sum(1).max())
    first = anatomy.firings(10_000, token=1)
    assert len(first) == len(anatomy.ranks) and {one.token for one in first} == {1}
    rank = anatomy.ranks.index(first[0].rank)
    layer = anatomy.layers.index(first[0].layer)
    assert first[0].fired == anatomy.fired[1, layer, rank]
    assert anatomy.effect[1, layer, rank] == anatomy.effect[1, :, rank].max()


def test_the_language_model_is_left_bit_for_bit(house: House, ids: list[str]) -> None:
    before = parameters_of(house.answerer.language_model.model)
    trace(house.answerer, QUESTION, max_tokens=3)
    assert_untouched(house.answerer.language_model.model, before)


@pytest.mark.parametrize("waiting", [False, True])
def test_without_files_there_is_nothing_to_take_apart(house: House, waiting: bool) -> None:
    ids = house.remember(*TEXTS)
    fresh = [said(9, "The cat is out.")] if waiting else []
    found: Trace = trace(house.answerer, "Who?", max_tokens=3, fresh=fresh)
    assert found.source == "BASE" and found.anatomy is None
    assert {one.id for one in found.candidates} <= set(ids)
    assert all(one.left_out for one in found.candidates)
