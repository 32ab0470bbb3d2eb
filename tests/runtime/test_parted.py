"""Words that a question does not ask for are nearly shut, whatever the model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sleepers import TEXTS, Sleeper

from universal_memory.memory.store import MemoryStore
from universal_memory.routing.pointer import Pointer
from universal_memory.runtime.anatomy import dissected, ranks_of
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.parted import PartedAdapter, opened

TEXT, QUESTION = TEXTS[0], "Where is the key?"


class Finger(Pointer):
    """Points at given places, without having learned anything."""

    def __init__(self, *places: int) -> None:
        super().__init__(torch.zeros(30_522, 8), width=8, heads=1, blocks=1)
        self.places = places
        self.asked: list[tuple[list[int], list[list[int]]]] = []

    def asked_for(self, question, memories):  # type: ignore[no-untyped-def]
        self.asked.append((list(question), [list(one) for one in memories]))
        return [
            [9.0 if place in self.places else -9.0 for place in range(len(one))]
            for one in memories
        ]


@pytest.fixture
def parted(sleeper: Sleeper, answerer: Answerer) -> PartedAdapter:
    usv = torch.from_numpy(sleeper.space.encode([TEXT])[0])
    return PartedAdapter.render(answerer.renderer, sleeper.space.reader, usv)


def lead(sleeper: Sleeper, store: MemoryStore, answerer: Answerer, texts: tuple[str, ...]) -> str:
    """Remember texts, as one merged memory if there are several, and make the question lead there.
    """
    (memory_id, *others) = sleeper.remember(store, texts)
    if others:
        consolidator = sleeper.consolidator(store)
        (file,) = consolidator.consolidate(consolidator.plan(len(texts)))
        memory_id = file.id
    answerer.index.synchronise(store)
    answerer.router.signs[QUESTION] = store.get(memory_id).passport  # type: ignore[attr-defined]
    return memory_id


def test_ranks_know_their_word(sleeper: Sleeper, parted: PartedAdapter) -> None:
    (words,) = parted.words
    assert words == [*sleeper.space.tower.token_ids(TEXT)]
    assert parted.word.unique().tolist() == [*range(len(words))]
    assert not parted.part.any()


def test_shut_words_say_less(parted: PartedAdapter) -> None:
    gates = [0.25] * len(parted.words[0])
    gates[2] = 1.0
    found = parted.opened([1.0], [gates])
    wanted = torch.where(parted.word == 2, 1.0, 0.25)
    assert torch.equal(found.gate, wanted)
    assert torch.equal(found.adapter.values, parted.adapter.values * wanted.unsqueeze(-1))
    assert torch.equal(found.adapter.keys, parted.adapter.keys)


def test_gates_are_asked_for_over_all_open_parts_at_once(parted: PartedAdapter) -> None:
    seen: list[list[list[int]]] = []

    def gating(parts: list[list[int]]) -> list[list[float]]:
        seen.append(parts)
        return [[0.5] * len(part) for part in parts]

    first, second = opened([parted, parted], [[1.0], [1.0]], gating)
    assert seen == [[parted.words[0], parted.words[0]]]
    assert bool((first.gate == 0.5).all()) and torch.equal(first.gate, second.gate)
    whole, shut = opened([parted, parted], [[1.0], [0.0]], gating)
    assert seen[1] == [parted.words[0]]
    assert whole.adapter.rank == parted.adapter.rank and shut.adapter.rank == 0
    (plain,) = opened([parted], [[1.0]], None)
    assert plain.adapter is parted.adapter


def test_the_question_points_and_the_prompt_is_the_question_alone(
    sleeper: Sleeper, store: MemoryStore, answerer: Answerer
) -> None:
    memory_id = lead(sleeper, store, answerer, (TEXT,))
    whole = answerer.prepare(QUESTION)
    assert whole.adapter is not None
    answerer.pointer = finger = Finger(1, 2)
    ready = answerer.prepare(QUESTION)
    (asked, held), = finger.asked
    assert asked == answerer.router.ask(QUESTION).seen.lists.ids.tolist()
    assert held == [[*sleeper.space.tower.token_ids(TEXT)]]
    assert ready.prompt == whole.prompt == answerer.language_model.prompt_ids(QUESTION)
    assert ready.adapter is not None and ready.adapter.rank == whole.adapter.rank
    assert not torch.equal(ready.adapter.values, whole.adapter.values)
    (put_on,) = ready.put_on
    ranks = ranks_of(answerer, memory_id, put_on)
    assert {rank.gate > 0.99 for rank in ranks if rank.piece in ("red", "key")} == {True}
    assert {rank.gate < 0.21 for rank in ranks if rank.piece not in ("red", "key")} == {True}


def test_a_pointer_that_finds_nothing_leaves_all_open(
    sleeper: Sleeper, store: MemoryStore, answerer: Answerer
) -> None:
    lead(sleeper, store, answerer, (TEXT,))
    whole = answerer.prepare(QUESTION)
    answerer.pointer = Finger()
    ready = answerer.prepare(QUESTION)
    assert whole.adapter is not None and ready.adapter is not None
    assert torch.equal(ready.adapter.values, whole.adapter.values)


def test_of_a_merged_memory_the_words_of_open_parts_are_asked_for_and_dissected(
    sleeper: Sleeper, store: MemoryStore, answerer: Answerer, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead(sleeper, store, answerer, TEXTS[:3])
    monkeypatch.setattr(
        answerer.router, "logits", lambda *_: np.array([-9.0, 9.0, -9.0], np.float32)
    )
    answerer.pointer = finger = Finger(0)
    ready = answerer.prepare(QUESTION)
    assert finger.asked[0][1] == [[*sleeper.space.tower.token_ids(TEXTS[1])]]
    _, anatomy = dissected(answerer, ready, max_tokens=3)
    assert anatomy is not None and ready.adapter is not None
    assert {rank.piece for rank in anatomy.ranks} <= {"Ben", "waters", "the", "plants", "."}
    manner = answerer.renderer.manner().rank
    assert len(anatomy.ranks) == ready.adapter.rank - manner == anatomy.effect.shape[2]
    assert {rank.gate for rank in anatomy.ranks if rank.piece == "Ben"} == {1.0}
