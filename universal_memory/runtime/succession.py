"""Succession: which memories of a store a new one supersedes, and who is the newest of a chain.

What a robot is told later counts: the keys were on the table, now they are in the drawer. No text
is read and no language model asked. Geometry proposes (the memories whose passports are nearest),
`routing.supersession` compares what the two vectors say, time says which was first, and the ledger
keeps a mark. The memory that is superseded stays; forgetting the newer one makes it count again.

A memory of another robot supersedes one that is here only if a key in the store's `trusted_keys`
signed it: whoever could hand over any file could otherwise switch memories off.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from universal_memory.memory.errors import MemoryNotFound
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.mark import Mark
from universal_memory.memory.record import Record
from universal_memory.memory.store import MemoryStore
from universal_memory.memory.trust import TrustStore
from universal_memory.resources import models_dir
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.supersession import WEIGHTS, SupersessionJudge
from universal_memory.runtime.readings import Readings
from universal_memory.space.semantic_space import SemanticSpace

NEAR = 16  # memories, by their passports, that a new one is compared with
# Log-odds of being relevant that a newer memory may lie behind the one that it superseded and still
# take its place. The two are each other's rivals, so they lie up to 9 apart; what is about another
# thing lies 11 and more behind (docs/decisions.md): a wrong mark silences nothing asked for.
BEHIND = 10.0


class Succession:
    """Marks what new memories of a store supersede. Thread-safe.

    `judge`: None where none is trained: then no marks are made, and `why` says so.
    """

    def __init__(
        self,
        judge: SupersessionJudge | None,
        space: SemanticSpace,
        store: MemoryStore,
        index: PassportIndex,
        why: str = "",
    ) -> None:
        self.judge, self.store, self.index, self.why = judge, store, index, why
        self.space_id = space.space_id
        self._lock = threading.Lock()
        self._readings = Readings(store, space.reader)

    @classmethod
    def load(
        cls,
        space: SemanticSpace,
        store: MemoryStore,
        index: PassportIndex | None = None,
        models: Path | None = None,
    ) -> Succession:
        """With the trained judge of the models folder, if it is there and fits the space.

        `index`: of the store; else its own copy, which is never saved.
        """
        if index is None:  # an empty one is falsy
            index = PassportIndex()
        try:
            return cls(SupersessionJudge.load(space, models), space, store, index)
        except (FileNotFoundError, ValueError) as error:
            return cls(None, space, store, index, f"later memories supersede none: {error}")

    def mark(self, memory_ids: Sequence[str], arrived: bool = True) -> list[Mark]:
        """Compare memories with those that are near; the marks that were made.

        They must be in store and index. `arrived`: they are the last that came, so where no clock
        tells two memories apart they are the later ones; else such pairs are left alone.
        """
        if self.judge is None:
            return []
        pairs = [pair for memory_id in memory_ids for pair in self._pairs(memory_id, arrived)]
        with self._lock:
            read = [self._readings([later.id, earlier.id]) for later, earlier in pairs]
        whole = [
            (pair, pieces[0], pieces[1])
            for pair, pieces in zip(pairs, read, strict=True)
            if pieces[0] is not None and pieces[1] is not None
        ]
        found = self.judge.probabilities(
            [later for _, later, _ in whole], [earlier for _, _, earlier in whole]
        )
        marks = [
            Mark(earlier.id, later.id, probability, later.provenance.end_stamp)
            for ((later, earlier), _, _), probability in zip(whole, found, strict=True)
            if probability >= self.judge.threshold
        ]
        self.store.marks.add(marks)
        return marks

    def learn(self, file: MemoryFile) -> list[Mark]:
        """Mark what a memory that the store has just got supersedes."""
        if self.judge is None:
            return []
        self.index.add([file.id], file.passport[None])
        return self.mark([file.id])

    def synchronise(self) -> None:
        """Know what others did to the store."""
        if self.judge is not None:
            self.index.synchronise(self.store)

    def mark_all(self) -> list[Mark]:
        """Compare every memory anew; what is marked already stays."""
        known = self.index.ids()
        return [mark for memory_id in known for mark in self.mark([memory_id], arrived=False)]

    def forget(self, memory_id: str) -> None:
        """Drop what was read of a memory that is gone."""
        with self._lock:
            self._readings.forget(memory_id)

    def _pairs(self, memory_id: str, arrived: bool) -> list[tuple[Record, Record]]:
        """The later and the earlier one of every pair that is looked at."""
        new = self.store.record(memory_id)
        if new is None or new.space_id != self.space_id:
            return []
        try:
            file = self.store.get(memory_id)
        except (MemoryNotFound, ValueError):
            return []
        found = []
        for other_id, _ in self.index.search(file.passport, NEAR + 1):
            other = self.store.record(other_id) if other_id != memory_id else None
            if other is None or other.space_id != self.space_id:
                continue
            is_later = _is_later(new, other)
            if is_later is None and not arrived:
                continue
            pair = (other, new) if is_later is False else (new, other)
            if self._may_supersede(pair[0]):
                found.append(pair)
        return found

    def _may_supersede(self, later: Record) -> bool:
        if not later.provenance.imported:
            return True
        try:
            file: MemoryFile = self.store.get(later.id)
            file.check_signature(TrustStore.of(self.store.root))
        except (MemoryNotFound, ValueError):
            return False
        return True


def mark_taken_in(
    store: MemoryStore, index: PassportIndex, memory_ids: Sequence[str]
) -> list[Mark]:
    """Mark what imported memories supersede; a space is loaded only if one of them may."""
    records = [store.record(memory_id) for memory_id in memory_ids]
    judged = (models_dir() / WEIGHTS).is_file()
    if not judged or not any(one is not None and one.key_id for one in records):
        return []
    return Succession.load(SemanticSpace.load(), store, index).mark(memory_ids)


def _is_later(one: Record, other: Record) -> bool | None:
    """Whether `one` was experienced after `other`; None where nothing tells."""
    stamps = one.provenance.end_stamp, other.provenance.end_stamp
    if all(stamps) and stamps[0] != stamps[1]:
        return stamps[0] > stamps[1]
    imported = one.provenance.imported, other.provenance.imported
    same_maker = not any(imported) or (all(imported) and one.key_id == other.key_id != "")
    if same_maker and one.counter != other.counter:
        return one.counter > other.counter
    return None


def superseded(logits: Mapping[str, float], later: Mapping[str, set[str]]) -> set[str]:
    """Of memories with log-odds, those for which a newer one stands in that is as relevant.

    `later`: for a memory, all that superseded it. Where two supersede each other both stay.
    """
    return {
        memory_id
        for memory_id, newer in later.items()
        if memory_id in logits
        and any(
            logits[one] >= logits[memory_id] - BEHIND
            for one in newer
            if one in logits and memory_id not in later.get(one, ())
        )
    }
