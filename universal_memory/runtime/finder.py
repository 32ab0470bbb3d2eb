"""The Finder: from a question to the memory files that are relevant to it; no language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from universal_memory.memory.errors import MemoryNotFound
from universal_memory.memory.store import MemoryStore
from universal_memory.memory.window import Window
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.router import SHORTLIST, RoutedQuestion, Router
from universal_memory.runtime.readings import Readings
from universal_memory.runtime.succession import superseded
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.slot_reader import SlotReader

Found = list[tuple[str, float]]
Near = list[tuple[str, NDArray[np.float32]]]
FoundParts = list[tuple[str, list[float]]]


class Finder:
    """Finds memories of a store through its index. Not thread-safe.

    `gone(id)` is called for a memory that is in the index and can no longer be read; else it is
    forgotten here.
    """

    def __init__(
        self,
        router: Router,
        store: MemoryStore,
        index: PassportIndex,
        reader: SlotReader,
        gone: Callable[[str], None] | None = None,
    ) -> None:
        self.router, self.store, self.index = router, store, index
        self._readings = Readings(store, reader)
        self._gone = gone or self.forget

    @classmethod
    def load(cls, store: MemoryStore, models: Path | None = None) -> Finder:
        """A finder with the trained space and router of the models folder.

        Raises FileNotFoundError or ValueError with the remedy.
        """
        space = SemanticSpace.load(models)
        return cls(Router.load(space, models), store, PassportIndex.open(store), space.reader)

    def find(
        self,
        asked: RoutedQuestion,
        top_k: int = 3,
        min_relevance: float = 0.5,
        among: Sequence[str] | None = None,
        window: Window | None = None,
    ) -> Found:
        """Ids with log-odds of being relevant, the most relevant first, at most `top_k`.

        `among`: ids of the files to choose from, in place of the whole store. `window`: only what
        was experienced then and there is looked at. What is superseded by a memory that is as
        relevant gives way to it (`runtime.succession`).
        """
        found = self.find_parts(asked, top_k, min_relevance, among, window)
        return [(memory_id, max(logits)) for memory_id, logits in found]

    def find_parts(
        self,
        asked: RoutedQuestion,
        top_k: int = 3,
        min_relevance: float = 0.5,
        among: Sequence[str] | None = None,
        window: Window | None = None,
    ) -> FoundParts:
        """As `find`, with the log-odds of every part of a memory: merged ones have several.

        Those of a part under `min_relevance`, and of all but the `top_k` most relevant parts, are
        minus infinity.
        """
        inside = None if window is None else set(self.store.within(window))
        if among is None:
            near = self.index.shortlist(asked.vector, max(SHORTLIST, top_k), inside)
        else:
            wanted = among if inside is None else [one for one in among if one in inside]
            near = [(memory_id, self.store.get(memory_id).passport) for memory_id in wanted]
        ranked = self._newest(asked, near, inside if among is None else set(wanted))[:top_k]
        # No more parts than there would be files, had they not been merged.
        best = sorted((logit for _, logits in ranked for logit in logits), reverse=True)[:top_k]
        least = best[-1] if best else inf
        found = [
            (memory_id, [self._if_relevant(logit, least, min_relevance) for logit in logits])
            for memory_id, logits in ranked
        ]
        return [(memory_id, logits) for memory_id, logits in found if max(logits) > -inf]

    def read_ids(self) -> list[str]:
        """Ids of the memories whose words are held here."""
        return self._readings.ids()

    def forget(self, memory_id: str) -> None:
        """Know a memory no longer."""
        self._readings.forget(memory_id)
        self.index.remove(memory_id)

    def _newest(
        self, asked: RoutedQuestion, near: Near, allowed: set[str] | None
    ) -> FoundParts:
        """The likeliest with log-odds of their parts; for what is superseded, what came after it.

        `allowed`: ids that may be brought in; None: all.
        """
        ranked = self.router.rank_parts(asked, near, self._read)
        later = self.store.marks.later_than([memory_id for memory_id, _ in ranked])
        if not later:
            return ranked
        known = {memory_id for memory_id, _ in near}
        newer = {
            one
            for memory_ids in later.values()
            for one in memory_ids - known
            if one in self.index and (allowed is None or one in allowed)
        }
        if newer:
            near = [*near, *self._passports(sorted(newer))]
            ranked = self.router.rank_parts(asked, near, self._read)
        gone = superseded({memory_id: max(logits) for memory_id, logits in ranked}, later)
        if not gone:
            return ranked
        # Anew: the evidence for what is gone speaks against the others (routing.calibration).
        left = [entry for entry in near if entry[0] not in gone]
        return self.router.rank_parts(asked, left, self._read)

    def _passports(self, memory_ids: Sequence[str]) -> Near:
        found: Near = []
        for memory_id in memory_ids:
            try:
                found.append((memory_id, self.store.get(memory_id).passport))
            except (MemoryNotFound, ValueError):
                self._gone(memory_id)
        return found

    def _read(self, memory_ids: Sequence[str]) -> list[list[list[int]] | None]:
        """The word pieces of memories, part by part; those that are gone are known no longer."""
        found = self._readings.parts(memory_ids)
        for memory_id, parts in zip(memory_ids, found, strict=True):
            if parts is None:  # another process may have made the robot forget it
                self._gone(memory_id)
        return found

    def _if_relevant(self, logit: float, least: float, min_relevance: float) -> float:
        enough = logit >= least and self.router.relevance(logit) >= min_relevance
        return logit if enough else -inf
