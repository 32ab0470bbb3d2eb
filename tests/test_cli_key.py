"""`ump key`: a key is made, handed over, trusted, and trusted no longer."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Ump, runner

from universal_memory.memory.signing import Signer
from universal_memory.memory.trust import TrustStore


@pytest.fixture
def ump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ump:
    monkeypatch.setenv("UMP_HOME", str(tmp_path / "home"))
    return runner(capsys)


def test_the_trust_store_of_a_robot(ump: Ump, tmp_path: Path) -> None:
    made = ump("key", "make", tmp_path / "robot_a", "--json").json
    key_id = Signer.load(tmp_path / "robot_a").key_id
    assert made["key_id"] == key_id
    assert "no key is trusted" in ump("key", "list").out
    assert ump("key", "list", "--json").json == []
    row = {"name": "kitchen", "key_id": key_id}
    assert ump("key", "add", made["public"], "--name", "kitchen", "--json").json == row
    assert key_id in ump("key", "list").out and "kitchen" in ump("key", "list").out
    assert ump("key", "list", "--json").json == [row]
    assert list(TrustStore.of(tmp_path / "home")) == [key_id]
    assert "no longer trusted" in ump("key", "remove", key_id[:6]).out
    assert ump("key", "list", "--json").json == []
    gone = ump("key", "remove", "kitchen")
    assert gone.code == 1 and "ump key list" in gone.err


def test_a_folder_of_ones_own(ump: Ump, tmp_path: Path) -> None:
    ump("key", "make", tmp_path / "robot_a")
    assert ump("key", "make", tmp_path / "robot_a").code == 1  # never overwrites
    folder = tmp_path / "site"
    assert "robot_a" in ump("key", "add", tmp_path / "robot_a.pub", "--trusted", folder).out
    assert (folder / "robot_a.pub").is_file() and not (tmp_path / "home").exists()
    private = ump("key", "add", tmp_path / "robot_a", "--trusted", folder)
    assert private.code == 1 and "is not a PEM public key" in private.err
