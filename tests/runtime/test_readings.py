"""Readings: what is in the memories of a store, kept while they are there."""

from __future__ import annotations

from house import House

from universal_memory.runtime import readings
from universal_memory.runtime.readings import Readings


def test_read_once_and_forgotten_with_the_memory(house: House, monkeypatch) -> None:
    ids = house.remember("The keys are in the drawer.", "The fern stands in the hall.")
    kept = Readings(house.store, house.answerer.space.reader)
    first = kept(ids)
    assert all(first)
    assert first[0] != first[1]
    opened: list[str] = []
    get = house.store.get
    monkeypatch.setattr(house.store, "get", lambda one: (opened.append(one), get(one))[1])
    assert kept(ids[::-1]) == first[::-1]
    assert opened == []
    house.store.forget(ids[0])
    assert kept(ids) == [None, first[1]]
    assert ids[0] not in kept._kept


def test_no_more_than_so_many_are_kept(house: House, monkeypatch) -> None:
    monkeypatch.setattr(readings, "KEPT", 1)
    ids = house.remember("The keys are in the drawer.", "The fern stands in the hall.")
    kept = Readings(house.store, house.answerer.space.reader)
    assert all(kept(ids))
    assert list(kept._kept) == ids[1:]


def test_a_damaged_file_is_not_read(house: House) -> None:
    (memory_id,) = house.remember("The keys are in the drawer.")
    path = house.store.path_of(memory_id)
    path.write_bytes(path.read_bytes()[:-7])
    assert Readings(house.store, house.answerer.space.reader)([memory_id]) == [None]
