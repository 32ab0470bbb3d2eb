"""Nearest passports: of all memories of a store, in the order of their cosine to a question.

A question is no passport: it lies near one fact of a file, where a graph that joins files to files
leads past it. So a search looks at every memory, by a sketch of 128 bytes, and compares the best
of them exactly (docs/decisions.md).

The index is a cache: it is checked against the ids of the store whenever it is opened, brought up
to date where it is stale, and rebuilt where it is missing or damaged. That of an encrypted store
is encrypted, too: passports tell the words of a memory (`ump bench privacy`).

    index = PassportIndex.open(store)
    index.search(router_vector, 3)      # [(id, cosine), ...], best first
"""

from __future__ import annotations

import hashlib
import io
import json
import threading
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from universal_memory.encryption import Cipher, is_sealed
from universal_memory.memory.durable import write_atomic
from universal_memory.memory.errors import MemoryNotFound, storage_error
from universal_memory.memory.file import PASSPORT_SHAPE, MemoryFileError
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.sketch import SKETCH_BYTES, nearest, sketches

INDEX_FORMAT = 3
DIMENSIONS = PASSPORT_SHAPE[0]
FILE_NAME = "passports.npy"
_ONE = np.float32(32767)  # in the numbers of a passport; halves take long to read on a CPU
_COMPARED = 256  # memories of a search whose passports are compared exactly
_BATCH = 1024
_OLD_SUFFIX = ".hnsw"  # of format 2: may hold what was forgotten since


class IndexFileError(ValueError):
    """A saved index is missing, damaged or of another shape; rebuild it."""


def path_in(store: MemoryStore) -> Path:
    """Where the index of a store is saved."""
    return store.root / "index" / FILE_NAME


def ids_digest(ids: Iterable[str]) -> str:
    """SHA-256 over the sorted ids: two sets of memories are equal if their digests are."""
    return hashlib.sha256("\n".join(sorted(ids)).encode("ascii")).hexdigest()


class PassportIndex:
    """Passports of memories, searched by cosine. Thread-safe.

    `left_out`: how many memories the store refused to read when last synchronised.
    Passports and questions are float32 [1024]; they need not be unit norm, zero is refused.
    Passports are kept in 16 bits a number.
    """

    def __init__(self) -> None:
        self.dimensions = DIMENSIONS
        self.left_out = 0
        self._lock = threading.RLock()
        self._ids: list[str] = []  # of the rows
        self._rows: dict[str, int] = {}
        self._passports = np.zeros((_BATCH, self.dimensions), np.int16)
        self._sketches = np.zeros((_BATCH, SKETCH_BYTES), np.uint8)

    @classmethod
    def open(cls, store: MemoryStore) -> PassportIndex:
        """The index of a store: loaded if it was saved, synchronised, saved again if it changed."""
        path = path_in(store)
        try:
            index = cls.load(path, store.cipher)
        except IndexFileError:
            index = cls()
        if index.synchronise(store) and not store.read_only:
            index.save(path, store.cipher)
        return index

    @classmethod
    def rebuild(cls, store: MemoryStore) -> PassportIndex:
        """A new index of a store, saved over whatever was there."""
        index = cls()
        index.synchronise(store)
        index.save(path_in(store), store.cipher)
        return index

    def add(self, ids: Sequence[str], passports: ArrayLike) -> None:
        """Add memories, or replace the passports of those already there; passports [n, 1024]."""
        vectors = self._checked(passports, len(ids))
        with self._lock:
            last = {memory_id: row for row, memory_id in enumerate(ids)}
            for memory_id in last:
                if memory_id in self._rows:
                    self.remove(memory_id)
            self._reserve(len(last))
            start = len(self._ids)
            chosen = vectors[list(last.values())]
            end = start + len(last)
            self._passports[start:end] = np.rint(chosen * _ONE)
            self._sketches[start:end] = sketches(self._passports[start:end].astype(np.float32))
            self._ids += last
            self._rows.update(zip(last, range(start, end), strict=True))

    def remove(self, memory_id: str) -> None:
        """Drop a memory and overwrite its passport; harmless if it is not there."""
        with self._lock:
            row = self._rows.pop(memory_id, None)
            if row is None:
                return
            last = len(self._ids) - 1  # takes the empty place
            for kept in (self._passports, self._sketches):
                kept[row] = kept[last]
                kept[last] = 0
            moved = self._ids.pop()
            if row != last:
                self._ids[row] = moved
                self._rows[moved] = row

    def search(self, vector: ArrayLike, k: int) -> list[tuple[str, float]]:
        """The k nearest memories (fewer if there are fewer) with their cosine, best first."""
        query = self._checked(vector, 1)
        with self._lock:
            rows, _, cosines = self._nearest(query, k)
            ids = [self._ids[row] for row in rows.tolist()]
            return list(zip(ids, cosines.tolist(), strict=True))

    def shortlist(
        self, vector: ArrayLike, k: int, among: Iterable[str] | None = None
    ) -> list[tuple[str, NDArray[np.float32]]]:
        """The k nearest memories with their passports, of unit norm; the nearest first.

        `among`: ids to choose from, in place of all; those that are not indexed are passed over.
        Passports are rounded, to 16 bits a number.
        """
        query = self._checked(vector, 1)
        with self._lock:
            rows, passports, _ = self._nearest(query, k, among)
            ids = [self._ids[row] for row in rows.tolist()]
            return list(zip(ids, passports, strict=True))

    def synchronise(self, store: MemoryStore) -> bool:
        """Make the index hold exactly the readable memories of `store`; whether that changed it.

        Memories the store refuses to read (damaged, of another space, of a maker it does not trust)
        are left out, and counted.
        """
        wanted = set(store.ids())
        with self._lock:
            missing = sorted(wanted - self._rows.keys())
            gone = self._rows.keys() - wanted
        for memory_id in gone:
            self.remove(memory_id)
        added = left_out = 0
        for start in range(0, len(missing), _BATCH):
            readable: dict[str, NDArray[np.float32]] = {}
            for memory_id in missing[start : start + _BATCH]:
                try:
                    readable[memory_id] = store.get(memory_id).passport
                except MemoryNotFound:
                    continue
                except MemoryFileError:
                    left_out += 1
            if readable:
                self.add(list(readable), np.stack(list(readable.values())))
                added += len(readable)
        self.left_out = left_out
        return bool(gone) or added > 0

    def ids(self) -> list[str]:
        """Ids of all indexed memories, sorted."""
        with self._lock:
            return sorted(self._rows)

    def __len__(self) -> int:
        with self._lock:
            return len(self._rows)

    def __contains__(self, memory_id: str) -> bool:
        with self._lock:
            return memory_id in self._rows

    def save(self, path: Path, cipher: Cipher | None = None) -> None:
        """Write the passports to `path` (.npy), the manifest (.json) beside it; sealed by `cipher`.

        Both are replaced atomically, the manifest last; it carries the hash of the other, so a
        crash in between is seen at the next load. Raises StoreError.
        """
        kept = io.BytesIO()
        with self._lock:
            np.save(kept, self._passports[: len(self._ids)], allow_pickle=False)
            manifest: dict[str, Any] = {
                "format": INDEX_FORMAT,
                "dimensions": self.dimensions,
                "ids_sha256": ids_digest(self._ids),
                "ids": list(self._ids),
            }
        manifest["passports_sha256"] = hashlib.sha256(kept.getbuffer()).hexdigest()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(_OLD_SUFFIX).unlink(missing_ok=True)
            for file, data in (
                (path, kept.getvalue()),
                (_manifest_of(path), json.dumps(manifest).encode("ascii")),
            ):
                write_atomic(file, data if cipher is None else cipher.seal(data))
        except OSError as error:
            raise storage_error(error, "save index", path) from error

    @classmethod
    def load(cls, path: Path, cipher: Cipher | None = None) -> PassportIndex:
        """Read a saved index. Raises IndexFileError if it is missing, damaged or incompatible."""
        try:
            manifest = json.loads(_read(_manifest_of(path), cipher))
            ids, dimensions = list(manifest["ids"]), manifest["dimensions"]
            if manifest["format"] != INDEX_FORMAT or dimensions != DIMENSIONS:
                raise IndexFileError(f"index {path} has another format or dimension")
            if ids_digest(ids) != manifest["ids_sha256"] or len(set(ids)) != len(ids):
                raise IndexFileError(f"manifest of index {path} is damaged")
            kept = _read(path, cipher)
            if hashlib.sha256(kept).hexdigest() != manifest["passports_sha256"]:
                raise IndexFileError(f"index {path} is damaged or belongs to another manifest")
            passports = np.load(io.BytesIO(kept), allow_pickle=False)
            if passports.shape != (len(ids), dimensions) or passports.dtype != np.int16:
                raise IndexFileError(f"passports of index {path} have another shape or type")
        except IndexFileError:
            raise
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise IndexFileError(f"cannot read index {path}: {error}") from error
        index = cls()
        index._reserve(len(ids))
        index._passports[: len(ids)] = passports
        for start in range(0, len(ids), _BATCH):
            part = passports[start : start + _BATCH].astype(np.float32)
            index._sketches[start : start + len(part)] = sketches(part)
        index._ids = ids
        index._rows = {memory_id: row for row, memory_id in enumerate(ids)}
        return index

    def _reserve(self, count: int) -> None:
        needed = len(self._ids) + count
        if needed > len(self._passports):
            room = ((0, max(needed - len(self._passports), len(self._passports))), (0, 0))
            self._passports = np.pad(self._passports, room)
            self._sketches = np.pad(self._sketches, room)

    def _nearest(
        self, query: NDArray[np.float32], k: int, among: Iterable[str] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """Rows, passports and cosines of the k nearest, best first."""
        compared = max(_COMPARED, 4 * k) if k > 0 else 0
        sketch, looked_at = sketches(query)[0], self._sketches[: len(self._ids)]
        if among is None:
            rows = nearest(sketch, looked_at, compared)
        else:
            there = np.fromiter(map(self._rows.get, among, repeat(-1)), np.int64)
            chosen = np.unique(there[there >= 0])
            rows = chosen[nearest(sketch, looked_at[chosen], compared)]
        passports = self._passports[rows].astype(np.float32)
        cosines = passports @ query[0]
        best = np.argsort(-cosines, kind="stable")[: max(0, k)]
        return rows[best], passports[best] / _ONE, cosines[best] / _ONE

    def _checked(self, vectors: ArrayLike, count: int) -> NDArray[np.float32]:
        array = np.ascontiguousarray(vectors, dtype=np.float32)
        if array.size != count * self.dimensions or array.shape[-1:] != (self.dimensions,):
            raise ValueError(
                f"vectors have shape {array.shape}; must be {(count, self.dimensions)}"
            )
        array = array.reshape(count, self.dimensions)
        norms = np.linalg.norm(array, axis=1)
        if not np.isfinite(norms).all() or (norms == 0).any():
            raise ValueError("a vector is zero or not finite: it has no direction to compare")
        return np.asarray(array / norms[:, None])


def _read(path: Path, cipher: Cipher | None) -> bytes:
    """A file of an index. Raises OSError, and ValueError if another key, or none, sealed it."""
    data = path.read_bytes()
    if cipher is not None:
        return cipher.open(data)
    if is_sealed(data):
        raise IndexFileError(f"index {path} is encrypted")
    return data


def _manifest_of(path: Path) -> Path:
    return path.with_suffix(".json")
