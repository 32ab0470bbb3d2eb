"""The index finds the nearest passports and never outlives its store."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.store import MemoryStore
from universal_memory.routing import index as index_module
from universal_memory.routing.index import IndexFileError, PassportIndex


def unit_vectors(count: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, 1024)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def names(count: int) -> list[str]:
    return [f"{number:064x}" for number in range(count)]


def fill(store: MemoryStore, count: int, seed: int = 0) -> list[MemoryFile]:
    random = np.random.default_rng(seed)
    files = [
        MemoryFile.create(random.normal(size=(16, 256)), passport, "test-space/1", number)
        for number, passport in enumerate(unit_vectors(count, seed))
    ]
    for file in files:
        store.add(file)
    return files


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    return MemoryStore(tmp_path / "store")


def index_path(store: MemoryStore) -> Path:
    return store.root / "index" / "passports.npy"


def test_search_agrees_with_exact_cosine() -> None:
    vectors, ids = unit_vectors(300), names(300)
    index = PassportIndex()
    index.add(ids, vectors)
    right = 0
    for query in unit_vectors(50, seed=1):
        exact = np.argsort(-(vectors @ query))[:5]
        hits = index.search(query * 7.0, 5)  # length does not matter
        for memory_id, cosine in hits:
            assert cosine == pytest.approx(float(vectors[int(memory_id, 16)] @ query), abs=1e-4)
        assert [c for _, c in hits] == sorted((c for _, c in hits), reverse=True)
        right += len({memory_id for memory_id, _ in hits} & {ids[row] for row in exact})
    assert right >= 0.95 * 250


def test_empty_and_small() -> None:
    index, query = PassportIndex(), unit_vectors(1)[0]
    assert index.search(query, 3) == [] and len(index) == 0 and index.ids() == []
    index.add(names(2), unit_vectors(2))
    assert len(index.search(query, 100)) == 2
    assert index.search(query, 0) == [] and index.search(query, -1) == []


def test_removed_memories_are_never_found_again() -> None:
    vectors, ids = unit_vectors(40), names(40)
    index = PassportIndex()
    index.add(ids, vectors)
    for memory_id in ids[:35]:
        index.remove(memory_id)
    index.remove("not there")
    assert index.ids() == ids[35:] and ids[0] not in index and ids[39] in index
    for query in vectors:
        assert {memory_id for memory_id, _ in index.search(query, 40)} == set(ids[35:])
    for memory_id in ids[35:]:
        index.remove(memory_id)
    assert index.search(vectors[0], 5) == []
    index.add(ids[:1], vectors[:1])
    assert index.search(vectors[0], 5) == [(ids[0], pytest.approx(1.0, abs=1e-3))]


def test_many_memories_of_one_passport_and_few_bits_apart() -> None:
    vectors = np.repeat(unit_vectors(3), 2000, axis=0)
    index = PassportIndex()
    index.add(names(6000), vectors)
    index.remove(names(6000)[2500])
    hits = index.search(vectors[2500], 40)
    assert len({memory_id for memory_id, _ in hits}) == 40
    assert all(2000 <= int(memory_id, 16) < 4000 for memory_id, _ in hits)


def test_the_same_adds_and_removals_find_the_same() -> None:
    found = []
    for _ in range(2):
        index = PassportIndex()
        index.add(names(3000), unit_vectors(3000))
        for memory_id in names(700):
            index.remove(memory_id)
        found.append([index.search(query, 20) for query in unit_vectors(5, seed=4)])
    assert found[0] == found[1]


def test_adding_again_replaces() -> None:
    index, (old, new, twice) = PassportIndex(), unit_vectors(3)
    index.add(names(1), [old])
    index.add(names(1) * 2, [new, twice])
    assert len(index) == 1
    assert index.search(twice, 5) == [(names(1)[0], pytest.approx(1.0, abs=1e-3))]


def test_grows_and_shrinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_BATCH", 16)
    vectors, ids = unit_vectors(150), names(150)
    index = PassportIndex()
    index.add(ids[:100], vectors[:100])
    for row in range(100, 150):
        index.add([ids[row]], vectors[row : row + 1])
    for memory_id in ids[:120]:
        index.remove(memory_id)
    assert len(index) == 30 and index.ids() == ids[120:]
    for row in range(120, 150):
        assert index.search(vectors[row], 1)[0][0] == ids[row]


@pytest.mark.parametrize(
    "vector",
    [np.zeros(1024), np.full(1024, np.nan), np.ones(1023), np.ones((2, 1024)), np.ones((1024, 1))],
)
def test_vectors_without_direction_are_refused(vector: np.ndarray) -> None:
    index = PassportIndex()
    with pytest.raises(ValueError, match="vector"):
        index.search(vector, 1)
    with pytest.raises(ValueError, match="vector"):
        index.add(names(1), vector)


def test_saved_and_loaded(tmp_path: Path) -> None:
    vectors, ids = unit_vectors(30), names(30)
    index, path = PassportIndex(), tmp_path / "index" / "passports.npy"
    index.add(ids, vectors)
    index.remove(ids[3])
    index.save(path)
    again = PassportIndex.load(path)
    assert again.ids() == index.ids()
    for query in unit_vectors(5, seed=2):
        assert again.search(query, 4) == index.search(query, 4)
    again.add(["f" * 64], unit_vectors(1, seed=3))
    assert len(again) == 30
    names_there = sorted(p.name for p in path.parent.iterdir())
    assert names_there == ["passports.json", "passports.npy"]


def test_a_forgotten_passport_is_gone_from_the_disk(tmp_path: Path) -> None:
    vectors, path = np.sign(unit_vectors(10)) / np.float32(32), tmp_path / "passports.npy"
    index = PassportIndex()
    index.add(names(10), vectors)  # of norm exactly 1, so that normalising keeps their bytes
    index.save(path)
    trace = np.rint(vectors[4][100:200] * 32767).astype(np.int16).tobytes()
    assert trace in path.read_bytes()  # or the test would prove nothing
    path.with_suffix(".hnsw").write_bytes(b"of an earlier version")
    index.remove(names(10)[4])
    index.save(path)
    assert trace not in path.read_bytes() and trace not in index._passports.tobytes()
    assert not path.with_suffix(".hnsw").exists()
    assert names(10)[4] not in path.with_suffix(".json").read_text()


def test_damaged_files_are_refused_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "passports.npy"
    index = PassportIndex()
    index.add(names(5), unit_vectors(5))
    index.save(path)
    passports, manifest = path.read_bytes(), path.with_suffix(".json").read_bytes()
    content = json.loads(manifest)
    broken: list[tuple[bytes, bytes]] = [
        (passports[:-1], manifest),
        (b"\xff" * len(passports), manifest),
        (b"", manifest),
        (passports, b""),
        (passports, b"{}"),
        (passports, b"[1, 2]"),
        (passports, json.dumps(content | {"ids": content["ids"][:4]}).encode()),
        (passports, json.dumps(content | {"ids": [1, 2, 3]}).encode()),
        (passports, json.dumps(content | {"dimensions": 512}).encode()),
        (passports, json.dumps(content | {"format": 1}).encode()),
        (passports, json.dumps(content | {"passports_sha256": "0" * 64}).encode()),
    ]
    for passports_bytes, manifest_bytes in broken:
        path.write_bytes(passports_bytes)
        path.with_suffix(".json").write_bytes(manifest_bytes)
        with pytest.raises(IndexFileError):
            PassportIndex.load(path)
    with pytest.raises(IndexFileError):
        PassportIndex.load(tmp_path / "none.npy")


def test_open_builds_then_follows_the_store(store: MemoryStore) -> None:
    files = fill(store, 12)
    index = PassportIndex.open(store)
    assert index.ids() == store.ids()
    assert index.search(files[5].passport, 1)[0][0] == files[5].id
    written = index_path(store).stat().st_mtime_ns
    PassportIndex.open(store)
    assert index_path(store).stat().st_mtime_ns == written  # nothing changed, nothing written
    store.forget(files[5].id)
    added = fill(store, 3, seed=9)
    again = PassportIndex.open(store)
    assert again.ids() == store.ids() and files[5].id not in again
    assert again.search(added[0].passport, 1)[0][0] == added[0].id
    assert not index.synchronise(store) or index.ids() == store.ids()


@pytest.mark.parametrize("damage", ["passports", "manifest", "both"])
def test_open_rebuilds_what_is_missing_or_damaged(store: MemoryStore, damage: str) -> None:
    files = fill(store, 6)
    PassportIndex.open(store)
    if damage in ("passports", "both"):
        index_path(store).write_bytes(b"rubbish")
    if damage in ("manifest", "both"):
        index_path(store).with_suffix(".json").unlink()
    index = PassportIndex.open(store)
    assert index.ids() == store.ids()
    assert PassportIndex.load(index_path(store)).ids() == store.ids()
    assert index.search(files[0].passport, 1)[0][0] == files[0].id


def test_a_crash_between_the_two_files_is_seen(store: MemoryStore) -> None:
    fill(store, 4)
    PassportIndex.open(store)
    old_manifest = index_path(store).with_suffix(".json").read_bytes()
    fill(store, 2, seed=5)
    PassportIndex.open(store)
    index_path(store).with_suffix(".json").write_bytes(old_manifest)
    with pytest.raises(IndexFileError, match="belongs to another manifest"):
        PassportIndex.load(index_path(store))
    assert PassportIndex.open(store).ids() == store.ids()


def test_unreadable_memories_are_left_out(store: MemoryStore) -> None:
    files = fill(store, 3)
    store.path_of(files[1].id).write_bytes(b"rubbish")
    assert PassportIndex.open(store).ids() == sorted([files[0].id, files[2].id])


def test_read_only_store_gets_an_index_in_memory_only(store: MemoryStore) -> None:
    fill(store, 3)
    index = PassportIndex.open(MemoryStore(store.root, read_only=True))
    assert len(index) == 3 and not index_path(store).exists()


def test_many_threads(tmp_path: Path) -> None:
    index, vectors = PassportIndex(), unit_vectors(200)
    failures: list[Exception] = []
    ids = names(200)

    def work(part: int) -> None:
        try:
            rows = range(part, 200, 4)
            for row in rows:
                index.add([ids[row]], vectors[row : row + 1])
                assert index.search(vectors[row], 1)[0][0] == ids[row]
                if row % 3 == 0:
                    index.remove(ids[row])
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    index.save(tmp_path / "passports.npy")
    for thread in threads:
        thread.join()
    assert failures == []
    assert index.ids() == [name for row, name in enumerate(ids) if row % 3]


@pytest.mark.parametrize("saved", [False, True])
def test_shortlist_is_the_search_with_passports(tmp_path: Path, saved: bool) -> None:
    drawn = np.random.default_rng(5).normal(size=(1200, 1024)).astype(np.float32)
    index = PassportIndex()
    for start in (0, 600):  # grows
        index.add([f"{start + number:064x}" for number in range(600)], drawn[start : start + 600])
    index.remove(f"{3:064x}")
    if saved:
        index.save(tmp_path / "index.npy")
        index = PassportIndex.load(tmp_path / "index.npy")
    found = index.shortlist(drawn[7], 10)
    assert [memory_id for memory_id, _ in found] == [one for one, _ in index.search(drawn[7], 10)]
    for memory_id, passport in found:
        expected = drawn[int(memory_id, 16)]
        np.testing.assert_allclose(passport, expected / np.linalg.norm(expected), atol=1e-4)
    assert PassportIndex().shortlist(drawn[7], 10) == []


def test_shortlist_among_some_is_exact_where_they_are_few_and_passes_strangers_by() -> None:
    vectors, ids = unit_vectors(2000), names(2000)
    index = PassportIndex()
    index.add(ids, vectors)
    index.remove(ids[7])
    chosen = np.random.default_rng(1).choice(2000, 250, replace=False)
    among = [*(ids[row] for row in chosen), ids[7], "f" * 64, ids[chosen[0]]]
    for query in unit_vectors(20, seed=2):
        best = sorted(
            (row for row in chosen if row != 7), key=lambda row: -float(vectors[row] @ query)
        )
        found = index.shortlist(query, 5, among)
        assert [one for one, _ in found] == [ids[row] for row in best[:5]]
    assert index.shortlist(vectors[3], 5, []) == []
    assert index.shortlist(vectors[3], 5, ["f" * 64]) == []


def test_shortlist_among_all_is_the_shortlist() -> None:
    vectors, ids = unit_vectors(3000), names(3000)
    index = PassportIndex()
    index.add(ids, vectors)
    for query in unit_vectors(5, seed=3):
        every, among = index.shortlist(query, 20), index.shortlist(query, 20, set(ids))
        assert [one for one, _ in among] == [one for one, _ in every]
