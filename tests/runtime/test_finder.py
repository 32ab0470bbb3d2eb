"""The finder picks the files that an answer would come from, without a language model."""

from __future__ import annotations

from house import House

from universal_memory.memory.store import MemoryStore
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
