"""A memory that is forgotten is gone at once: from store, index, caches, marks and answers."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from house import House

from universal_memory.memory.mark import Mark
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex, path_in

TEXTS = ("Anna said: the code is 7391.", "Anna said: the code is 5520.", "Sign reads: exit.")
QUESTION = "What is the code?"

Forget = Callable[[House, str], None]


def here(house: House, memory_id: str) -> None:
    house.store.forget(memory_id)
    house.answerer.forget(memory_id)


def elsewhere(house: House, memory_id: str) -> None:
    """By the command, in a process of its own; the answerer is told nothing."""
    command = [sys.executable, "-m", "universal_memory.cli", "memory", "forget", memory_id, "--yes"]
    subprocess.run([*command, "--store", str(house.store.root)], check=True, capture_output=True)


@pytest.mark.parametrize("forget", [here, elsewhere])
def test_nothing_of_a_forgotten_memory_is_left(house: House, forget: Forget) -> None:
    old, gone, _ = house.remember(*TEXTS)
    house.store.marks.add([Mark(old, gone, 0.9)])
    house.lead(QUESTION, gone, old)
    PassportIndex.open(house.store)
    answerer = house.answerer
    assert [hit.id for hit in answerer.answer(QUESTION, max_tokens=1).hits] == [gone]
    passport = house.store.get(gone).passport

    forget(house, gone)

    # The very next answer is without it, and what it had superseded counts again.
    assert [hit.id for hit in answerer.answer(QUESTION, max_tokens=1).hits] == [old]
    assert gone not in house.store and house.store.record(gone) is None
    assert house.store.marks.all() == []
    assert gone not in answerer._rendered
    assert gone not in answerer._finder.read_ids()
    assert gone not in answerer.index
    assert gone not in PassportIndex.open(house.store)
    assert max(cosine for _, cosine in answerer.index.search(passport, 3)) < 0.999
    # What waits in the buffer to age out goes before the next compilation.
    house.compiler.compile(0)
    house.buffer.close()
    left = b"".join(path.read_bytes() for path in house.store.root.rglob("*") if path.is_file())
    left += b"".join(path.read_bytes() for path in house.store.root.parent.glob("buffer*"))
    assert b"5520" not in left and b"7391" in left
    assert gone.encode() not in left


def test_what_another_process_forgot_leaves_the_caches_unasked(house: House) -> None:
    gone, kept, _ = house.remember(*TEXTS)
    house.lead(QUESTION, gone, kept)
    answerer = house.answerer
    assert len(answerer.answer(QUESTION, max_tokens=1).hits) == 2
    with MemoryStore(house.store.root) as other:
        other.forget(gone)
    answerer.synchronise()
    assert set(answerer._rendered) == {kept}
    assert gone not in answerer._finder.read_ids()
    assert path_in(house.store).exists() is False  # and nobody wrote it down meanwhile
