"""Marks of what superseded what: kept, followed to the newest, lifted, carried and salvaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from universal_memory.encryption import Cipher
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.ledger import Ledger, Provenance, Record
from universal_memory.memory.mark import Mark, salvage_marks
from universal_memory.memory.store import MemoryStore

Maker = Callable[..., MemoryFile]

A, B, C, D = (letter * 64 for letter in "abcd")


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    opened = Ledger(tmp_path / "ledger.sqlite")
    for number, memory_id in enumerate((A, B, C)):
        opened.insert(Record(memory_id, number, "test-space/1"))
    return opened


def test_a_mark_leads_to_the_newest(ledger: Ledger) -> None:
    ledger.mark([Mark(A, B, 0.9, 5), Mark(B, C, 0.8, 7)])
    assert ledger.marks() == [Mark(A, B, 0.9, 5), Mark(B, C, 0.8, 7)]
    assert ledger.later_than([A, B, C, D]) == {A: {B, C}, B: {C}}
    assert ledger.later_than([f"{number:064x}" for number in range(1200)]) == {}
    ledger.mark([Mark(A, B, 0.7, 5)])  # judged again
    assert ledger.marks()[0].probability == 0.7


def test_a_circle_ends(ledger: Ledger) -> None:
    ledger.mark([Mark(A, B, 0.9), Mark(B, A, 0.9)])
    assert ledger.later_than([A, B]) == {A: {B}, B: {A}}


@pytest.mark.parametrize(("gone", "left"), [(A, [(B, C)]), (B, []), (C, [(A, B)])])
def test_forgetting_either_lifts_the_mark(
    ledger: Ledger, gone: str, left: list[tuple[str, str]]
) -> None:
    ledger.mark([Mark(A, B, 0.9), Mark(B, C, 0.9)])
    ledger.delete(gone)
    assert [(mark.superseded, mark.superseding) for mark in ledger.marks()] == left


def test_no_mark_without_both_rows(ledger: Ledger) -> None:
    ledger.mark([Mark(A, D, 0.9), Mark(D, B, 0.9)])
    assert ledger.marks() == []


def test_a_merged_memory_takes_the_marks_of_its_originals(ledger: Ledger) -> None:
    ledger.mark([Mark(A, C, 0.9, 3), Mark(A, B, 0.8, 2)])
    ledger.insert(Record(D, 4, "test-space/1"), originals=(A, B))
    assert ledger.later_than([D]) == {D: {C}}  # not by itself: B is in it
    ledger.delete(D)
    assert ledger.later_than([A]) == {A: {B, C}}


def test_a_ledger_of_before_has_none_and_gets_them(ledger: Ledger) -> None:
    ledger.close()
    with sqlite3.connect(ledger.path) as database:
        database.execute("DROP TABLE supersessions")
    reader = Ledger(ledger.path, read_only=True)
    assert reader.marks() == [] and reader.later_than([A]) == {}
    reader.close()
    writer = Ledger(ledger.path)
    writer.mark([Mark(A, B, 0.9)])
    assert writer.later_than([A]) == {A: {B}}


def test_marks_are_kept_when_the_ledger_is_made_anew(tmp_path: Path, make: Maker) -> None:
    with MemoryStore(tmp_path / "store") as store:
        one, two, three = (store.add(make(n), Provenance(end_stamp=n)) for n in (1, 2, 3))
        store.marks.add([Mark(one, two, 0.9, 2), Mark(two, three, 0.8, 3)])
        store.path_of(three).unlink()
        store.reindex()
        assert store.marks.by_superseded() == {one: [two]}
        store.close()
        path = store.root / "ledger.sqlite"
        with sqlite3.connect(path) as database:
            database.execute("UPDATE memories SET streams = '{broken'")
        assert store.reindex().damaged_ledger is not None
        assert store.marks.all() == [Mark(one, two, 0.9, 2)]
    assert salvage_marks(tmp_path / "none.sqlite") == []


def test_an_encrypted_store_keeps_marks_and_forgets_them(tmp_path: Path, make: Maker) -> None:
    with MemoryStore(tmp_path / "store", cipher=Cipher.generate()) as store:
        one, two = (store.add(make(n), Provenance()) for n in (1, 2))
        store.marks.add([Mark(one, two, 0.9)])
        assert store.marks.later_than([one]) == {one: {two}}
        store.forget(two)
        assert store.marks.all() == []
        assert one in store
