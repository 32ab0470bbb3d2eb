"""Merged memories hide their originals until that is confirmed; a crash never loses one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest

from universal_memory.memory.errors import MemoryNotFound
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.ledger import Ledger, Provenance
from universal_memory.memory.shelf import Shelf
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex

Maker = Callable[..., MemoryFile]


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def ids(store: MemoryStore, make: Maker) -> list[str]:
    """Three files, and a fourth that is on its own."""
    return [store.add(make(seed), Provenance(text=f"text {seed}")) for seed in (1, 2, 3, 4)]


@pytest.fixture
def merged(store: MemoryStore, make: Maker, ids: list[str]) -> str:
    """The first three, merged."""
    return store.add(make(9), Provenance(text="all"), ids[:3])


def reopened(store: MemoryStore) -> MemoryStore:
    """The store as the next process finds it."""
    store.close()
    return MemoryStore(store.root)


def killed_at(
    monkeypatch: pytest.MonkeyPatch, owner: type, name: str, calls: int = 0
) -> None:
    """Let the process die in a method, after so many calls of it."""
    method, done = getattr(owner, name), [0]

    def die(*arguments: object) -> object:
        if done[0] == calls:
            raise Killed
        done[0] += 1
        return method(*arguments)

    monkeypatch.setattr(owner, name, die)


def test_originals_are_hidden_and_the_index_follows(
    store: MemoryStore, make: Maker, ids: list[str]
) -> None:
    index = PassportIndex.open(store)
    before = store.version()
    merged = store.add(make(9), Provenance(), ids[:3])
    assert store.version() != before  # a running server looks again
    assert store.ids() == sorted([merged, ids[3]]) and len(store) == 2
    assert index.synchronise(store) and index.ids() == store.ids()
    assert store.merged.hidden() == set(ids[:3])
    assert [(one.id, one.originals) for one in store.merged.all()] == [
        (merged, tuple(sorted(ids[:3])))
    ]
    assert store.get(ids[0]).id == ids[0] and not store.verify().problems


def test_undo_brings_the_originals_back(store: MemoryStore, ids: list[str], merged: str) -> None:
    before = store.version()
    assert [one.id for one in store.merged.undo()] == [merged]
    assert store.ids() == sorted(ids) and store.version() != before
    assert merged not in store and store.record(merged) is None
    assert not store.verify().problems and store.merged.undo() == []


def test_confirm_deletes_them_for_good(store: MemoryStore, ids: list[str], merged: str) -> None:
    assert [one.id for one in store.merged.confirm()] == [merged]
    for original in ids[:3]:
        assert original not in store and store.record(original) is None
    assert store.ids() == sorted([merged, ids[3]]) and not store.verify().problems
    assert store.merged.all() == store.merged.undo() == []
    assert b"text 1" not in (store.root / "ledger.sqlite").read_bytes()


def test_a_merged_memory_is_forgotten_with_its_originals(
    store: MemoryStore, ids: list[str], merged: str
) -> None:
    assert set(store.forget(merged)) == {merged, *ids[:3]}
    assert store.ids() == [ids[3]] and not store.verify().problems
    with pytest.raises(MemoryNotFound):
        store.forget(ids[0])


def test_an_original_is_forgotten_alone_and_the_others_are_back(
    store: MemoryStore, ids: list[str], merged: str
) -> None:
    assert store.forget(ids[1]) == (merged, ids[1])
    assert store.ids() == sorted([ids[0], ids[2], ids[3]]) and not store.verify().problems


def test_killed_before_the_row_nothing_has_happened(
    store: MemoryStore, make: Maker, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_at(patch, Ledger, "insert")
        store.add(make(9), Provenance(), ids[:3])
    with reopened(store) as again:
        assert again.ids() == sorted(ids) and again.merged.all() == []


def test_killed_before_it_is_published_the_next_opening_does_it(
    store: MemoryStore, make: Maker, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_at(patch, Shelf, "publish")
        store.add(make(9), Provenance(), ids[:3])
    assert MemoryStore(store.root, read_only=True).ids() == sorted(ids)  # until then as before
    with reopened(store) as again:
        assert again.ids() == sorted([make(9).id, ids[3]]) and not again.verify().problems


def test_killed_in_an_undo_the_originals_are_there(
    store: MemoryStore, ids: list[str], merged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_at(patch, Ledger, "delete")
        store.merged.undo()
    assert MemoryStore(store.root, read_only=True).ids() == sorted(ids)
    with reopened(store) as again:
        assert again.ids() == sorted(ids) and not again.verify().problems


@pytest.mark.parametrize("removed", [0, 1, 3])
def test_killed_while_confirming_it_is_finished_and_never_undone(
    store: MemoryStore,
    ids: list[str],
    merged: str,
    removed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        if removed < 3:
            killed_at(patch, Shelf, "remove", removed)
        else:
            killed_at(patch, Ledger, "delete")
        store.merged.confirm()
    assert store.merged.undo() == []  # the merged file is the only whole one
    with reopened(store) as again:
        assert again.ids() == sorted([merged, ids[3]]) and not again.verify().problems


@pytest.mark.parametrize("removed", [1, 2, 3])
def test_killed_while_forgetting_what_went_does_not_come_back(
    store: MemoryStore,
    ids: list[str],
    merged: str,
    removed: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch, pytest.raises(Killed):
        killed_at(patch, Shelf, "remove", removed)
        store.forget(merged)
    with reopened(store) as again:
        assert again.ids() == sorted([merged, ids[3]])  # to be forgotten again
        again.forget(again.resolve(merged[:12]))
        assert again.ids() == [ids[3]] and not again.verify().problems


def test_a_ledger_of_before_knows_of_none(store: MemoryStore, ids: list[str]) -> None:
    store.close()
    with sqlite3.connect(store.root / "ledger.sqlite") as database:
        database.execute("DROP TABLE merged")
    with MemoryStore(store.root, read_only=True) as read_only:
        assert read_only.merged.all() == [] and read_only.ids() == sorted(ids)


def test_without_the_ledger_all_lie_side_by_side_and_merging_again_hides_them(
    store: MemoryStore, make: Maker, ids: list[str], merged: str
) -> None:
    store.close()
    (store.root / "ledger.sqlite").write_bytes(b"damaged" * 999)
    for path in store.root.glob("ledger.sqlite-*"):
        path.unlink()
    with MemoryStore(store.root, read_only=True) as read_only:
        assert read_only.ids() == sorted([*ids, merged])
    with MemoryStore(store.root) as again:
        again.reindex()
        assert again.ids() == sorted([*ids, merged])
        again.add(make(9), Provenance(), ids[:3])
        assert again.ids() == sorted([merged, ids[3]])


def test_reindex_keeps_what_is_hidden(store: MemoryStore, ids: list[str], merged: str) -> None:
    assert store.reindex().kept == 5
    assert store.ids() == sorted([merged, ids[3]])
    store.merged.undo()
    record = store.record(ids[0])
    assert record is not None and record.provenance.text == "text 1"
