"""An encrypted store: as good as a plain one with its key, of no use and unharmed without."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from universal_memory.encryption import Cipher, StoreKeyError, is_sealed
from universal_memory.memory.errors import LedgerError
from universal_memory.memory.file import MemoryFile, MemoryFileError
from universal_memory.memory.ledger import Ledger, Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex, path_in

Maker = Callable[..., MemoryFile]
KEY, OTHER = Cipher(b"k" * 32), Cipher(b"o" * 32)
ORIGIN = Provenance(1, 2, 3, ("audio",), "day.mcap", {"frame_id": "map"}, "Anna takes tea.")


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".sqlite-shm"
    }


@pytest.fixture
def root(tmp_path: Path, make: Maker) -> Path:
    """An encrypted store of two memories, with an index."""
    root = tmp_path / "store"
    with MemoryStore(root, cipher=KEY) as store:
        for seed in (1, 2):
            store.add(make(seed), ORIGIN)
        PassportIndex.open(store)
    return root


def test_everything_comes_back_and_ids_are_those_of_plain_files(root: Path, make: Maker) -> None:
    with MemoryStore(root, cipher=KEY) as store:
        assert store.ids() == sorted([make(1).id, make(2).id])
        assert store.get(make(1).id) == make(1)
        record = store.record(make(1).id)
        assert record is not None and record.provenance == ORIGIN
        assert [one.provenance for one in store.records()] == [ORIGIN, ORIGIN]
        assert store.verify().problems == []
        assert len(PassportIndex.load(path_in(store), KEY)) == 2
        assert store.next_counter() == 3


def test_every_file_with_experience_is_sealed(root: Path, make: Maker) -> None:
    for name, data in contents(root).items():
        assert is_sealed(data) or name.split("/")[0] in (
            "encryption.json", "ledger.sqlite", "ledger.sqlite-wal", "locks",
        )  # fmt: skip
        for secret in (b"Anna", b"audio", b"day.mcap", b"map", make(1).passport.tobytes()[:32]):
            assert secret not in data, name


@pytest.mark.parametrize("cipher", [None, OTHER])
@pytest.mark.parametrize("read_only", [True, False])
def test_without_the_key_nothing_is_told_and_nothing_changed(
    root: Path, cipher: Cipher | None, read_only: bool
) -> None:
    before = contents(root)
    with pytest.raises(StoreKeyError, match=r"is encrypted.*remedy: name its key file"):
        MemoryStore(root, read_only, cipher=cipher)
    with pytest.raises(StoreKeyError, match="remedy"):
        Ledger(root / "ledger.sqlite", cipher=cipher)
    assert contents(root) == before


@pytest.mark.parametrize("read_only", [True, False])
def test_a_plain_store_is_not_encrypted_behind_its_back(
    tmp_path: Path, make: Maker, read_only: bool
) -> None:
    with MemoryStore(tmp_path) as store:
        store.add(make(1), ORIGIN)
    before = contents(tmp_path)
    with pytest.raises(StoreKeyError, match=r"is not encrypted.*ump memory encrypt"):
        MemoryStore(tmp_path, read_only, cipher=KEY)
    assert contents(tmp_path) == before


def test_a_lost_marker_loses_nothing(root: Path, make: Maker) -> None:
    """Files that wait in `incoming` are not taken for rubbish, files are not quarantined."""
    (root / "encryption.json").unlink()
    waiting = root / "incoming" / f"{make(3).id}.ump"
    waiting.write_bytes(KEY.seal(make(3).to_bytes()))
    with pytest.raises(StoreKeyError, match="is encrypted"):
        MemoryStore(root)
    waiting.unlink()
    with pytest.raises(StoreKeyError, match="is encrypted"):
        MemoryStore(root).get(make(1).id)
    with pytest.raises(StoreKeyError, match="is encrypted"):
        MemoryStore(root).reindex()
    with pytest.raises(StoreKeyError, match="is not encrypted, and a key was given"):
        MemoryStore(root, cipher=KEY)


@pytest.mark.parametrize("text", ["", "{}", '{"format": 1, "key_id": "1", "state": "lost"}'])
def test_a_damaged_marker_is_told(root: Path, text: str) -> None:
    (root / "encryption.json").write_text(text)
    for cipher in (None, KEY):
        with pytest.raises(StoreKeyError, match=r"damaged; remedy"):
            MemoryStore(root, cipher=cipher)


def test_an_interrupted_conversion_is_told(root: Path) -> None:
    path = root / "encryption.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"state": "decrypting"}))
    with pytest.raises(StoreKeyError, match=r"interrupted; remedy: run `ump memory decrypt` again"):
        MemoryStore(root, cipher=KEY)


def test_whoever_opened_the_store_before_it_was_encrypted_writes_no_more(
    tmp_path: Path, root: Path, make: Maker
) -> None:
    plain = tmp_path / "plain"
    with MemoryStore(plain) as early:
        (plain / "encryption.json").write_bytes((root / "encryption.json").read_bytes())
        with pytest.raises(StoreKeyError, match="is encrypted"):
            early.add(make(1))
        assert early.ids() == []


def test_tampered_and_plain_files_are_refused_and_quarantined(root: Path, make: Maker) -> None:
    with MemoryStore(root, cipher=KEY) as store:
        first, second = (store.path_of(make(seed).id) for seed in (1, 2))
        first.write_bytes(first.read_bytes()[:-1] + b"?")
        second.write_bytes(make(2).to_bytes())
        for seed, reason in ((1, "seal does not open"), (2, "is not encrypted, as its store is")):
            with pytest.raises(MemoryFileError, match=reason):
                store.get(make(seed).id)
        assert len(store.verify().problems) == 2
        assert len(store.reindex().quarantined) == 2 and store.ids() == []
        assert len(store.quarantined()) == 2


def test_a_tampered_row_is_a_damaged_ledger(root: Path, make: Maker) -> None:
    with MemoryStore(root, cipher=KEY) as store:
        connection = store.ledger._connection
        connection.execute(
            "UPDATE memories SET text = (SELECT text FROM memories WHERE id = ?) WHERE id = ?",
            (make(1).id, make(2).id),
        )  # of another row: sealed with the same key, and yet refused
        assert store.record(make(1).id) is not None
        with pytest.raises(LedgerError, match=r"seal does not open.*ump memory reindex"):
            store.record(make(2).id)
        report = store.reindex()
        assert report.kept == 2 and report.without_provenance == [make(2).id]
        assert store.record(make(1).id).provenance == ORIGIN  # type: ignore[union-attr]


def test_exports_are_plain_and_quarantine_can_be_imported(
    root: Path, tmp_path: Path, make: Maker
) -> None:
    with MemoryStore(root, cipher=KEY) as store:
        (path,) = store.export([make(1).id], tmp_path / "out.ump")
        assert path.read_bytes() == make(1).to_bytes()
    with MemoryStore(root, space_id="other-space/1", cipher=KEY) as strict:
        with pytest.raises(MemoryFileError, match="space"):
            strict.import_bytes(make(3).to_bytes(), "three", "test")
        (refused,) = strict.quarantined()
        assert refused.name == "three" and is_sealed(refused.path.read_bytes())
    with MemoryStore(root, cipher=KEY) as store:
        assert store.import_path(refused.path).added == [make(3).id]
        assert store.quarantined() == []
    with MemoryStore(tmp_path / "plain") as other:
        report = other.import_path(root / "files")
        assert report.added == [] and "ump memory export" in report.refused[0].reason


def test_an_index_of_another_key_is_rebuilt(root: Path) -> None:
    with MemoryStore(root, cipher=KEY) as store:
        path = path_in(store)
        for key in (None, OTHER):
            PassportIndex().save(path, key)
            assert len(PassportIndex.open(store)) == 2
            assert is_sealed(path.read_bytes())
