"""The finder picks the files that an answer would come from, without a language model."""

from __future__ import annotations

from typing import Any

import pytest
from house import House

from universal_memory.memory.record import Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.memory.window import Window
from universal_memory.routing.index import PassportIndex
from universal_memory.runtime.finder import Finder


def finder(house: House, store: MemoryStore) -> Finder:
    index = PassportIndex()
    index.synchronise(store)
    return Finder(house.router, store, index, house.compiler.space.reader)


def test_it_finds_what_the_answerer_uses(house: House) -> None:
    ids = house.remember("The red key is in the drawer.", "Ben waters the plants.", "It rains.")
    house.lead("Where is the key?", ids[0], ids[2])
    found = finder(house, house.store)
    asked = house.router.ask("Where is the key?")
    every = found.find(asked, top_k=3, min_relevance=0.0)
    assert [memory_id for memory_id, _ in every][:2] == [ids[0], ids[2]]
    relevant = [memory_id for memory_id, _ in found.find(asked)]
    hits = house.answerer.answer("Where is the key?").hits
    assert relevant == [hit.id for hit in hits]
    assert len(found.find(asked, top_k=1, min_relevance=0.0)) == 1
    assert found.find(asked, min_relevance=1.0) == []
    among = found.find(asked, min_relevance=0.0, among=ids[1:2])
    assert [memory_id for memory_id, _ in among] == ids[1:2]


def test_what_another_process_removed_is_known_no_longer(house: House) -> None:
    ids = house.remember("The red key is in the drawer.", "Ben waters the plants.")
    house.lead("Where is the key?", ids[0])
    found = finder(house, house.store)
    with MemoryStore(house.store.root) as other:
        other.forget(ids[0])
    asked = house.router.ask("Where is the key?")
    assert ids[0] not in dict(found.find(asked, min_relevance=0.0))
    assert found.index.ids() == ids[1:]


def test_a_window_narrows_before_the_nearest_are_taken(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for one on the shortlist, the nearest of all would crowd out that of the window."""
    monkeypatch.setattr("universal_memory.runtime.finder.SHORTLIST", 1)
    texts = ("The red key is in the drawer.", "Ben waters the plants.", "It rains in the garden.")
    ids = house.remember(*texts)
    house.lead("Where is the key?", ids[0], ids[2])
    found = finder(house, house.store)
    asked = house.router.ask("Where is the key?")

    def best(**given: Any) -> list[str]:
        return [one for one, _ in found.find(asked, 1, 0.0, **given)]

    stamps = [house.store.record(one).provenance.start_stamp for one in ids]  # type: ignore[union-attr]
    assert best() == ids[:1]
    assert best(window=Window(after=stamps[2])) == ids[2:]
    assert best(window=Window(after=stamps[1], before=stamps[1])) == ids[1:2]
    assert best(window=Window(after=stamps[2] + 1)) == []
    assert best(window=Window(before=stamps[1]), among=ids[1:]) == ids[1:2]


def test_what_was_imported_is_in_no_window(house: House) -> None:
    [own] = house.remember("The red key is in the drawer.")
    file = house.store.get(own)
    house.store.forget(own)
    house.store.add(file, Provenance(imported=True))
    house.lead("Where is the key?", own)
    found, asked = finder(house, house.store), house.router.ask("Where is the key?")
    assert [one for one, _ in found.find(asked)] == [own]
    assert found.find(asked, min_relevance=0.0, window=Window(after=1)) == []
