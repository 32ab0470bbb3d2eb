"""MiniLM vectors of texts, for the rivals that retrieve text; kept on disk, since many take long.

A cut costs one shard: the next run goes on where this one was.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from universal_memory.benchmarks.rivals.rival import Advance, NotRunError
from universal_memory.memory.durable import write_atomic
from universal_memory.space.text_tower import TextTower

FOLDER = Path("build/cache/text_vectors")
SHARD = 2048  # texts kept together
BATCH = 64


class TextVectors:
    """Unit vectors of texts: float32 [384] each.

    `most`: texts up to which they are made.
    """

    def __init__(
        self,
        tower: TextTower,
        most: int,
        advance: Advance = lambda stage, done, total: None,
        folder: Path = FOLDER,
    ) -> None:
        self.tower, self.most, self.advance, self.folder = tower, most, advance, folder
        self._known: dict[str, NDArray[np.float32]] = {}

    def of(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of many texts: float32 [texts, 384]. Raises NotRunError for too many."""
        if len(texts) > self.most:
            raise NotRunError(f"not run: more than {self.most:,} texts to embed (--embed-most)")
        # Sorted: the same shards whatever the order of a world.
        fresh = sorted({text for text in texts if text not in self._known})
        for start in range(0, len(fresh), SHARD):
            part = fresh[start : start + SHARD]
            self._known.update(zip(part, self._shard(part), strict=True))
            self.advance("embedding", start + len(part), len(fresh))
        return np.stack([self._known[text] for text in texts])

    def one(self, text: str) -> NDArray[np.float32]:
        """The vector of one text, made now: float32 [384]."""
        return self._embedded([text])[0]

    def _shard(self, texts: Sequence[str]) -> NDArray[np.float32]:
        digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
        path = self.folder / f"{digest[:32]}.npy"
        if not path.is_file():
            order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
            rows = np.empty((len(texts), 384), np.float32)
            for start in range(0, len(order), BATCH):  # texts of one length: little padding
                numbers = order[start : start + BATCH]
                rows[numbers] = self._embedded([texts[number] for number in numbers])
            written = io.BytesIO()
            np.save(written, rows)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, written.getvalue())
        return np.asarray(np.load(path), np.float32)

    def _embedded(self, texts: list[str]) -> NDArray[np.float32]:
        rows = self.tower(texts).pooled().cpu().numpy()
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def nearest(vectors: NDArray[np.float32], vector: NDArray[np.float32], count: int) -> list[int]:
    """Numbers of the `count` nearest by cosine, compared with every one, the nearest first."""
    likeness = vectors @ vector
    count = min(count, len(likeness))
    best = np.argpartition(-likeness, count - 1)[:count]
    return [int(one) for one in best[np.argsort(-likeness[best], kind="stable")]]
