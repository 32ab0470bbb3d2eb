"""Whom a robot trusts is a folder of keys, read when it matters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from universal_memory.memory.file import MemoryFile, SignatureError
from universal_memory.memory.signing import KeyFileError, Signer
from universal_memory.memory.store import MemoryStore
from universal_memory.memory.trust import TrustStore

Maker = Callable[..., MemoryFile]


def public_key(folder: Path, name: str) -> tuple[Signer, Path]:
    """A new signer and the file of its public key."""
    signer = Signer.generate()
    folder.mkdir(exist_ok=True)
    signer.save(folder / name)
    return signer, folder / f"{name}.pub"


def test_keys_come_and_go(tmp_path: Path) -> None:
    trust = TrustStore.of(tmp_path / "store")
    assert (len(trust), list(trust), trust.entries()) == (0, [], [])
    one, path = public_key(tmp_path / "handed", "one")
    added = trust.add(path)
    assert (added.name, added.key_id, trust[one.key_id]) == ("one", one.key_id, one.public_key)
    assert trust.add(path, "again").name == "one"  # the same key, once
    two, path = public_key(tmp_path / "handed", "two")
    with pytest.raises(KeyFileError, match=f"label of key {one.key_id} already"):
        trust.add(path, "one")
    trust.add(path)
    assert set(trust) == {one.key_id, two.key_id}
    assert trust.remove(two.key_id[:8]).name == "two"
    with pytest.raises(KeyFileError, match=r"0 keys .*label 'two'"):
        trust.remove("two")
    with pytest.raises(KeyFileError, match="0 keys"):
        trust.remove("")
    assert trust.remove("one").key_id == one.key_id and not trust


@pytest.mark.parametrize("label", ["../escape", "a/b"])
def test_a_label_is_no_path(tmp_path: Path, label: str) -> None:
    _, path = public_key(tmp_path / "handed", "key")
    with pytest.raises(KeyFileError, match="without a slash"):
        TrustStore(tmp_path / "trusted").add(path, label)
    assert not (tmp_path / "trusted").exists()


def test_bad_keys_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match=r"no folder of trusted keys at .*nowhere; remedy"):
        TrustStore.of(tmp_path, tmp_path / "nowhere")
    trust = TrustStore(tmp_path)
    with pytest.raises(KeyFileError, match="cannot read key"):
        trust.add(tmp_path / "none.pub")
    (tmp_path / "bad.pub").write_text("not a key")
    with pytest.raises(KeyFileError, match=r"bad\.pub is not a PEM"):
        trust.get("ab" * 16)


def test_an_open_store_knows_at_once_whom_to_trust(tmp_path: Path, make: Maker) -> None:
    trust = TrustStore(tmp_path / "trusted")
    store = MemoryStore(tmp_path / "store", trusted=trust)
    maker, path = public_key(tmp_path / "handed", "maker")
    data = make(1, signer=maker).to_bytes()
    with pytest.raises(SignatureError, match="ump key add"):
        store.import_bytes(data, "offered", "maker")
    TrustStore(tmp_path / "trusted").add(path)  # as another process does
    assert store.import_bytes(data, "offered", "maker") == (make(1).id, True)
    TrustStore(tmp_path / "trusted").remove("maker")
    with pytest.raises(SignatureError):
        store.get(make(1).id)
