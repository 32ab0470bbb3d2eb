"""The memory files of a large world, of which only those that a question may choose are written.

Every memory has its passport in the index, made of the word pieces of its text, as a passport
always is of the pieces that are read in a USV. A question reads the few likeliest: these are
encoded and filed before it is asked. So a hundred thousand memories take minutes, not an hour.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import DIMENSIONS, PassportIndex
from universal_memory.routing.router import LOOKED_AT, SHORTLIST
from universal_memory.routing.sketch import SKETCH_BYTES
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.finder import Finder
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.training.routing_trial import passports_of

INDEX_BYTES = 2 * DIMENSIONS + SKETCH_BYTES  # of a memory in the index
BATCH = 1024


class Filing:
    """Store and index of a world's `texts`.

    By number, of those that are files: `ids`, and `costs`, what it took to make them: milliseconds
    and bytes, those of the index too.
    """

    def __init__(self, parts: Answerer, texts: Sequence[str], root: Path) -> None:
        self.parts, self.texts = parts, texts
        self.store, self.index = MemoryStore(root), PassportIndex()
        self.ids: dict[int, str] = {}
        self.costs: dict[int, tuple[float, int]] = {}
        self._waiting = {f"{number:064x}": number for number in range(len(texts))}
        waiting = list(self._waiting)
        for start in range(0, len(texts), BATCH):
            part = texts[start : start + BATCH]
            pieces = [[*parts.space.tower.token_ids(text)[: SEATS * SLOTS]] for text in part]
            passports = passports_of(parts.passport_encoder, pieces)
            self.index.add(waiting[start : start + len(part)], passports)

    def answerer(self) -> Answerer:
        """The parts over this store, with nothing rendered yet."""
        parts = self.parts
        return Answerer(
            parts.language_model,
            parts.renderer,
            parts.space,
            parts.passport_encoder,
            parts.router,
            self.store,
            self.index,
            cache_size=1,
            pointer=parts.pointer,
        )

    def finder(self) -> Finder:
        """Finds files for a question."""
        return Finder(self.parts.router, self.store, self.index, self.parts.space.reader)

    def file(self, number: int) -> None:
        """Compile the text of this number as a robot does, unless it is a file."""
        if number in self.ids:
            return
        parts, started = self.parts, time.perf_counter()
        usv = parts.space.encode([self.texts[number]])
        passport = parts.passport_encoder.passports(usv)[0]
        file = MemoryFile.create(usv[0], passport, parts.space.space_id, number + 1)
        memory_id = self.store.add(file)
        self.index.add([memory_id], passport[None])
        spent = 1000 * (time.perf_counter() - started)
        self.index.remove(f"{number:064x}")
        del self._waiting[f"{number:064x}"]
        self.ids[number] = memory_id
        self.costs[number] = spent, len(file.to_bytes()) + INDEX_BYTES

    def wanted(self, question: str) -> list[int]:
        """Numbers of the memories that the question would read and that are no files yet.

        Filing them may let others come near: ask again until there are none.
        """
        router = self.parts.router
        asked = router.ask(question)
        near = self.index.shortlist(asked.vector, SHORTLIST)
        evidence = router.verified(asked, np.stack([passport for _, passport in near]))
        likely = np.argsort(-evidence, kind="stable")[:LOOKED_AT]
        ids = [near[row][0] for row in likely]
        return [self._waiting[memory_id] for memory_id in ids if memory_id in self._waiting]
