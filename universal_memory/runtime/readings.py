"""Readings: the word pieces in the USVs of memories, for a closer look at those that are likely."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.memory.errors import MemoryNotFound
from universal_memory.memory.store import MemoryStore
from universal_memory.space.slot_reader import SlotReader

KEPT = 4096  # readings, about a kilobyte each; in memory, never on disk


class Readings:
    """What the space's reader finds in the memories of a store. Not thread-safe."""

    def __init__(self, store: MemoryStore, reader: SlotReader) -> None:
        self.store, self.reader = store, reader
        self._kept: OrderedDict[str, list[list[int]]] = OrderedDict()

    def __call__(self, memory_ids: Sequence[str]) -> list[list[int] | None]:
        """The word pieces of memories, in the order of the text; None for those that are gone."""
        return [
            None if parts is None else [piece for part in parts for piece in part]
            for parts in self.parts(memory_ids)
        ]

    @torch.inference_mode()
    def parts(self, memory_ids: Sequence[str]) -> list[list[list[int]] | None]:
        """The same, part by part: a merged memory has several."""
        fresh: dict[str, NDArray[np.float32]] = {}
        for memory_id in memory_ids:
            if memory_id not in self.store:  # another process may have made the robot forget it
                self.forget(memory_id)
            elif memory_id not in self._kept:
                try:
                    fresh[memory_id] = self.store.get(memory_id).usv
                except (MemoryNotFound, ValueError):
                    continue
        if fresh:
            usv = torch.from_numpy(np.stack(list(fresh.values())))
            self._kept.update(zip(fresh, self.reader(usv).parts(), strict=True))
        found = [self._kept.get(memory_id) for memory_id in memory_ids]
        for memory_id in memory_ids:
            if memory_id in self._kept:
                self._kept.move_to_end(memory_id)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def ids(self) -> list[str]:
        """Ids of the memories whose words are held here."""
        return list(self._kept)

    def forget(self, memory_id: str) -> None:
        """Drop what was read of a memory that is gone."""
        self._kept.pop(memory_id, None)
