"""Nearest passports: an HNSW graph (Malkov and Yashunin, 2016) over all memories of a store.

A question is no passport: it lies near one fact of a file, and the graph joins files to files. A
search therefore looks at many, in the few dimensions of a sketch where that is cheap, and compares
the best of them exactly (docs/decisions.md).

The index is a cache: it is checked against the ids of the store whenever it is opened, brought up
to date where it is stale, and rebuilt where it is missing or damaged.

    index = PassportIndex.open(store)
    index.search(router_vector, 3)      # [(id, cosine), ...], best first
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import hnswlib  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import ArrayLike, NDArray

from universal_memory.memory.durable import sync_folder, write_atomic
from universal_memory.memory.errors import MemoryNotFound, StoreError, storage_error
from universal_memory.memory.file import PASSPORT_SHAPE, MemoryFileError
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.sketch import SKETCH_WIDTH, sketches

INDEX_FORMAT = 2
DIMENSIONS = PASSPORT_SHAPE[0]
FILE_NAME = "passports.hnsw"
_LINKS = 32
_CONSTRUCTION_EFFORT = 400
_SEARCH_EFFORT = 640
_ONE = np.float32(32767)  # in the numbers of a passport; halves take long to read on a CPU
_COMPARED = 256  # memories of a search whose passports are compared exactly
_BATCH = 1024


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

    Passports and questions are float32 [1024]; they need not be unit norm, zero is refused.
    Passports are kept in 16 bits a number.
    """

    def __init__(self) -> None:
        self.dimensions = DIMENSIONS
        self._lock = threading.RLock()
        self._clear(capacity=_BATCH)

    @classmethod
    def open(cls, store: MemoryStore) -> PassportIndex:
        """The index of a store: loaded if it was saved, synchronised, saved again if it changed."""
        path = path_in(store)
        try:
            index = cls.load(path)
        except IndexFileError:
            index = cls()
        if index.synchronise(store) and not store.read_only:
            index.save(path)
        return index

    @classmethod
    def rebuild(cls, store: MemoryStore) -> PassportIndex:
        """A new index of a store, saved over whatever was there."""
        index = cls()
        index.synchronise(store)
        index.save(path_in(store))
        return index

    def add(self, ids: Sequence[str], passports: ArrayLike) -> None:
        """Add memories, or replace the passports of those already there; passports [n, 1024]."""
        vectors = self._checked(passports, len(ids))
        with self._lock:
            last = {memory_id: row for row, memory_id in enumerate(ids)}
            for memory_id in last:
                if memory_id in self._labels:
                    self.remove(memory_id)
            self._reserve(len(last))
            labels = np.arange(len(self._ids), len(self._ids) + len(last))
            chosen = vectors[list(last.values())]
            self._graph.add_items(sketches(chosen), labels, num_threads=1)
            self._passports[labels] = np.rint(chosen * _ONE)
            self._ids += last
            self._labels.update(zip(last, map(int, labels), strict=True))

    def remove(self, memory_id: str) -> None:
        """Drop a memory and overwrite its passport; harmless if it is not there."""
        with self._lock:
            label = self._labels.pop(memory_id, None)
            if label is None:
                return
            # hnswlib keeps the numbers of a deleted item: a forgotten memory must not stay on disk
            blank = np.zeros((1, SKETCH_WIDTH), np.float32)
            blank[0, label % SKETCH_WIDTH] = 1.0
            self._graph.add_items(blank, [label], num_threads=1)
            self._graph.mark_deleted(label)
            self._passports[label] = 0
            self._ids[label] = None
            if len(self._ids) > _BATCH and len(self._labels) < len(self._ids) // 2:
                self._compact()

    def search(self, vector: ArrayLike, k: int) -> list[tuple[str, float]]:
        """The k nearest memories (fewer if there are fewer) with their cosine, best first."""
        query = self._checked(vector, 1)
        with self._lock:
            labels, _, cosines = self._nearest(query, k)
            return [
                (memory_id, cosine)
                for label, cosine in zip(labels.tolist(), cosines.tolist(), strict=True)
                if (memory_id := self._ids[label]) is not None
            ]

    def shortlist(self, vector: ArrayLike, k: int) -> list[tuple[str, NDArray[np.float32]]]:
        """The k nearest memories with their passports, of unit norm; the nearest first.

        Passports are rounded, to 16 bits a number.
        """
        query = self._checked(vector, 1)
        with self._lock:
            labels, passports, _ = self._nearest(query, k)
            return [
                (memory_id, passport)
                for label, passport in zip(labels.tolist(), passports, strict=True)
                if (memory_id := self._ids[label]) is not None
            ]

    def synchronise(self, store: MemoryStore) -> bool:
        """Make the index hold exactly the readable memories of `store`; whether that changed it.

        Memories the store refuses to read (damaged, of another space) are left out.
        """
        wanted = set(store.ids())
        with self._lock:
            missing = sorted(wanted - self._labels.keys())
            gone = self._labels.keys() - wanted
        for memory_id in gone:
            self.remove(memory_id)
        added = 0
        for start in range(0, len(missing), _BATCH):
            readable: dict[str, NDArray[np.float32]] = {}
            for memory_id in missing[start : start + _BATCH]:
                try:
                    readable[memory_id] = store.get(memory_id).passport
                except (MemoryFileError, MemoryNotFound):
                    continue
            if readable:
                self.add(list(readable), np.stack(list(readable.values())))
                added += len(readable)
        return bool(gone) or added > 0

    def ids(self) -> list[str]:
        """Ids of all indexed memories, sorted."""
        with self._lock:
            return sorted(self._labels)

    def __len__(self) -> int:
        with self._lock:
            return len(self._labels)

    def __contains__(self, memory_id: str) -> bool:
        with self._lock:
            return memory_id in self._labels

    def save(self, path: Path) -> None:
        """Write the graph to `path`; passports (.npy) and manifest (.json) beside it.

        All are replaced atomically, the manifest last; it carries the hashes of the others, so a
        crash in between is seen at the next load. Raises StoreError.
        """
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock:
                self._graph.save_index(str(temporary))
                kept = io.BytesIO()
                np.save(kept, self._passports[: len(self._ids)], allow_pickle=False)
                manifest: dict[str, Any] = {
                    "format": INDEX_FORMAT,
                    "dimensions": self.dimensions,
                    "ids_sha256": ids_digest(self._labels),
                    "ids": list(self._ids),
                }
            with temporary.open("rb+") as stream:
                os.fsync(stream.fileno())
                manifest["graph_bytes"] = os.fstat(stream.fileno()).st_size
            manifest["graph_sha256"] = _file_digest(temporary)
            manifest["passports_sha256"] = hashlib.sha256(kept.getbuffer()).hexdigest()
            temporary.replace(path)
            write_atomic(_passports_of(path), kept.getvalue())
            sync_folder(path.parent)
            write_atomic(_manifest_of(path), json.dumps(manifest).encode("ascii"))
        except OSError as error:
            raise storage_error(error, "save index", path) from error
        except RuntimeError as error:  # hnswlib's only word for a failed write
            raise StoreError(
                f"cannot save index {path}: {error}; remedy: check disk space and permissions"
            ) from error
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path) -> PassportIndex:
        """Read a saved index. Raises IndexFileError if it is missing, damaged or incompatible."""
        try:
            manifest = json.loads(_manifest_of(path).read_bytes())
            ids, dimensions = manifest["ids"], manifest["dimensions"]
            if manifest["format"] != INDEX_FORMAT or dimensions != DIMENSIONS:
                raise IndexFileError(f"index {path} has another format or dimension")
            if ids_digest(memory_id for memory_id in ids if memory_id) != manifest["ids_sha256"]:
                raise IndexFileError(f"manifest of index {path} is damaged")
            # hnswlib trusts the sizes in its file: never hand it one we did not write
            if path.stat().st_size != manifest["graph_bytes"] or (
                _file_digest(path) != manifest["graph_sha256"]
            ):
                raise IndexFileError(f"index {path} is damaged or belongs to another manifest")
            kept = _passports_of(path).read_bytes()
            if hashlib.sha256(kept).hexdigest() != manifest["passports_sha256"]:
                raise IndexFileError(f"passports of index {path} are damaged")
            rows = np.load(io.BytesIO(kept), allow_pickle=False)
            if rows.shape != (len(ids), dimensions) or rows.dtype != np.int16:
                raise IndexFileError(f"passports of index {path} have another shape or type")
            index = cls()
            index._graph = hnswlib.Index(space="cosine", dim=SKETCH_WIDTH)
            index._graph.load_index(str(path), max_elements=len(ids) + _BATCH)
        except IndexFileError:
            raise
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
            raise IndexFileError(f"cannot read index {path}: {error}") from error
        index._capacity = len(ids) + _BATCH
        index._passports = np.zeros((index._capacity, dimensions), np.int16)
        index._passports[: len(ids)] = rows
        index._ids = ids
        index._labels = {memory_id: label for label, memory_id in enumerate(ids) if memory_id}
        return index

    def _clear(self, capacity: int) -> None:
        self._capacity = capacity
        self._ids: list[str | None] = []  # label → id, None once removed
        self._labels: dict[str, int] = {}
        self._passports = np.zeros((capacity, self.dimensions), np.int16)
        self._graph = hnswlib.Index(space="cosine", dim=SKETCH_WIDTH)
        self._graph.init_index(
            max_elements=capacity, M=_LINKS, ef_construction=_CONSTRUCTION_EFFORT, random_seed=100
        )

    def _reserve(self, count: int) -> None:
        needed = len(self._ids) + count
        if needed > self._capacity:
            self._capacity = max(needed, 2 * self._capacity)
            self._graph.resize_index(self._capacity)
            grown = np.zeros((self._capacity, self.dimensions), np.int16)
            grown[: len(self._passports)] = self._passports
            self._passports = grown

    def _compact(self) -> None:
        """Rebuild without the removed items, which otherwise slow down every search."""
        ids = list(self._labels)
        labels = [self._labels[memory_id] for memory_id in ids]
        vectors = self._passports[labels].astype(np.float32) / _ONE
        self._clear(capacity=len(ids) + _BATCH)
        self.add(ids, vectors)

    def _nearest(
        self, query: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
        """Labels, passports and cosines of the k nearest, best first."""
        looked_at = min(max(_COMPARED, 4 * k), len(self._labels)) if k > 0 else 0
        labels = self._walk(query, looked_at) if looked_at else np.empty(0, np.int64)
        passports = self._passports[labels].astype(np.float32) / _ONE
        cosines = passports @ query[0]
        best = np.argsort(-cosines, kind="stable")[: max(0, k)]
        return labels[best], passports[best], cosines[best]

    def _walk(self, query: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Labels of about the k nearest, by their sketches."""
        self._graph.set_ef(max(_SEARCH_EFFORT, 2 * k))
        try:
            labels, _ = self._graph.knn_query(sketches(query), k=k, num_threads=1)
            return labels[0].astype(np.int64)
        except RuntimeError:  # deleted items cut the graph off before k were found: all of them
            return np.array(list(self._labels.values()), np.int64)

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


def _manifest_of(path: Path) -> Path:
    return path.with_suffix(".json")


def _passports_of(path: Path) -> Path:
    return path.with_suffix(".npy")


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
