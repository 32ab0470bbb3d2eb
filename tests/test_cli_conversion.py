"""`ump memory encrypt` and `decrypt`, and every other command on an encrypted store."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Ump, runner

from universal_memory.memory.ledger import Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex

PLAIN = ("memory", "list", "--json")


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UMP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("UMP_STORE_KEY", "")  # set, so that what `ump --store-key` sets is undone
    return tmp_path / "store.key"


@pytest.fixture
def ump(key: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ump:
    """A fresh process would not know the key of the command before."""
    run = runner(capsys, joined=True)

    def fresh(*arguments: object) -> object:
        monkeypatch.setenv("UMP_STORE_KEY", "")
        return run(*arguments)

    return fresh  # type: ignore[return-value]


@pytest.fixture
def memory_id(tmp_path: Path, key: Path) -> str:
    from test_cli_memory import make

    with MemoryStore(tmp_path / "home") as store:
        found = store.add(make(1), Provenance(text="Anna takes tea.", source="the day"))
        PassportIndex.open(store)
    return found


def test_a_store_there_and_back(ump: Ump, key: Path, memory_id: str, tmp_path: Path) -> None:
    before = ump(*PLAIN).json
    made = ump("key", "make", key, "--encryption", "--json").json
    told = ump("--store-key", key, "memory", "encrypt", "--json").json
    assert told["key_id"] == made["key_id"] and told["encrypted"] == 1
    refused = ump(*PLAIN)
    assert refused.code == 1 and "is encrypted; remedy: name its key file" in refused.err
    assert ump("--store-key", key, *PLAIN).json == before
    assert ump("--store-key", key, "memory", "verify").code == 0
    assert ump("--store-key", key, "memory", "reindex").code == 0
    assert ump("--store-key", key, "memory", "export", tmp_path / "out", "--all").code == 0
    assert ump("--store-key", key, "memory", "import", tmp_path / "out").code == 0
    assert "is decrypted" in ump("--store-key", key, "memory", "decrypt").out
    assert ump(*PLAIN).json == before
    mixed = ump("--store-key", key, *PLAIN)
    assert mixed.code == 1 and "is not encrypted, and a key was given" in mixed.err


def test_forgetting_in_an_encrypted_store(ump: Ump, key: Path, memory_id: str) -> None:
    ump("key", "make", key, "--encryption")
    ump("--store-key", key, "memory", "encrypt")
    assert ump("--store-key", key, "memory", "forget", memory_id, "--yes").code == 0
    assert ump("--store-key", key, *PLAIN).json == []


def test_wrong_keys_are_one_line_with_the_remedy(
    ump: Ump, key: Path, memory_id: str, tmp_path: Path
) -> None:
    nobody = ump("memory", "encrypt")
    assert nobody.code == 1 and "no key was named; remedy" in nobody.err
    missing = ump("--store-key", key, "memory", "encrypt")
    assert missing.code == 1 and "ump key make FILE --encryption" in missing.err
    assert "written to" in ump("key", "make", key, "--encryption").out
    assert ump("key", "make", key, "--encryption").code == 1  # never overwrites
    ump("key", "make", tmp_path / "other.key", "--encryption")
    ump("--store-key", key, "memory", "encrypt")
    for command in ("encrypt", "decrypt", "list", "verify"):
        other = ump("--store-key", tmp_path / "other.key", "memory", command)
        assert other.code == 1 and "is encrypted with key" in other.err, command
