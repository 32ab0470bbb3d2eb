"""The Finder: from a question to the memory files that are relevant to it; no language model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from universal_memory.memory.store import MemoryStore
from universal_memory.memory.window import Window
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.router import SHORTLIST, RoutedQuestion, Router
from universal_memory.runtime.readings import Readings
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.slot_reader import SlotReader

Found = list[tuple[str, float]]


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
        was experienced then and there is looked at.
        """
        inside = None if window is None else set(self.store.within(window))
        if among is None:
            near = self.index.shortlist(asked.vector, max(SHORTLIST, top_k), inside)
        else:
            wanted = among if inside is None else [one for one in among if one in inside]
            near = [(memory_id, self.store.get(memory_id).passport) for memory_id in wanted]
        return [
            (memory_id, logit)
            for memory_id, logit in self.router.rank(asked, near, self._read)[:top_k]
            if self.router.relevance(logit) >= min_relevance
        ]

    def forget(self, memory_id: str) -> None:
        """Know a memory no longer."""
        self._readings.forget(memory_id)
        self.index.remove(memory_id)

    def _read(self, memory_ids: Sequence[str]) -> list[list[int] | None]:
        """The word pieces of memories; those that are gone are known no longer."""
        found = self._readings(memory_ids)
        for memory_id, pieces in zip(memory_ids, found, strict=True):
            if pieces is None:  # another process may have made the robot forget it
                self._gone(memory_id)
        return found
