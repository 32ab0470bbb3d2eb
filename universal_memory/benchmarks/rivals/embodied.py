"""The package `emem` of PyPI as the retriever: eMEM, a memory for embodied agents (MIT).

It keeps texts in SQLite, their vectors in an HNSW graph and their places in an R-tree, and leaves
the vectors to its user: here they are MiniLM's, the same as of `retrieval`. Its gists and entities
want a language model of their own that is called for every few texts; they are not used. What is
found goes into the prompt as text. The package is optional: its hnswlib is compiled when installed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from universal_memory.benchmarks.rivals.rival import Answered, Asked, NotRunError, Rival
from universal_memory.benchmarks.rivals.world import World

WIDTH = 384  # of a MiniLM vector
BATCH = 1024
MISSING = (
    "not run: {error}; remedy: pip install --no-deps emem==0.3.0 hnswlib==0.8.0 rtree==1.4.1"
    " (needs g++)"
)


class Embodied(Rival):
    """Keeps texts in an eMEM store, and reads what its semantic search finds."""

    name = "emem"
    note = "with the vectors of MiniLM"

    def remember(self, world: World) -> None:
        """Put all texts into a new store; MiniLM's vectors are not made twice."""
        self._texts = world.texts
        vectors = world.vectors
        root = world.root / "emem"
        root.mkdir(parents=True, exist_ok=True)
        self._store = self._opened(root, len(world.texts))
        for start in range(0, len(self._texts), BATCH):
            rows = range(start, min(start + BATCH, len(self._texts)))
            self._store.add_observations_batch(
                [self._observation(self._texts[row], float(row), vectors[row]) for row in rows]
            )
            self.parts.advance("emem", rows.stop, len(self._texts))
        self._store.save()
        stored = sum(path.stat().st_size for path in root.glob("memory*"))
        self.stored = [stored // len(self._texts)] * len(self._texts)

    def ready(self, asked: Asked) -> None:
        """Time what it takes to take the right text in, in a store beside."""
        text = self._texts[asked.memory]
        started = time.perf_counter()
        self._beside.add_observations_batch([self._observation(text, 0.0)])
        self.compiled_ms.append(1000 * (time.perf_counter() - started))

    def answer(self, asked: Asked) -> Answered:
        """The answer from what eMEM finds, the best first."""
        started = time.perf_counter()
        found = self._store.semantic_search(asked.text, self.parts.settings.top_texts)
        return self.read(asked.text, " ".join(one.text for one in found), started)

    def _opened(self, root: Path, count: int) -> Any:
        try:
            import emem
            from emem.embeddings import CallableEmbeddingProvider
        except ImportError as error:
            raise NotRunError(MISSING.format(error=error)) from error

        def embed(texts: list[str]) -> list[Any]:
            return [self.parts.vectors.one(text) for text in texts]

        def store(name: str, most: int) -> Any:
            config = emem.SpatioTemporalMemoryConfig(
                db_path=str(root / f"{name}.db"),
                hnsw_path=str(root / f"{name}.hnsw.bin"),
                hnsw_max_elements=most,
            )
            return emem.MemoryStore(config, CallableEmbeddingProvider(embed, WIDTH))

        self._beside = store("beside", 1024)
        return store("memory", count + 1)

    @staticmethod
    def _observation(text: str, stamp: float, vector: Any = None) -> Any:
        import emem
        import numpy as np

        return emem.ObservationNode(text, np.zeros(3), stamp, embedding=vector)
