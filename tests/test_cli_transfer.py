"""`ump memory export`, `import` and `quarantine`: what is chosen, signed, taken in, kept aside."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from command_line import Ump, runner

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.ledger import Provenance
from universal_memory.memory.signing import Signer
from universal_memory.memory.store import MemoryStore

NOTES = """\
Anna said: my tea should be weak.

Sign reads: pharmacy room 12.

Ben said: I am allergic to peanuts.
"""


def make(seed: int) -> MemoryFile:
    random = np.random.default_rng(seed)
    passport = random.normal(size=1024)
    return MemoryFile.create(
        random.normal(size=(16, 256)), passport / np.linalg.norm(passport), "test-space/1", seed
    )


@pytest.fixture
def ump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ump:
    monkeypatch.setenv("UMP_HOME", str(tmp_path / "home"))
    return runner(capsys, joined=True)


@pytest.fixture
def own(tmp_path: Path) -> list[str]:
    """Two memories that this robot made."""
    with MemoryStore(tmp_path / "home") as store:
        return [store.add(make(seed), Provenance(text="seen myself")) for seed in (1, 2)]


def test_signed_by_one_robot_taken_in_by_another(ump: Ump, tmp_path: Path, own: list[str]) -> None:
    bundle, home = tmp_path / "out.tar", tmp_path / "colleague"
    ump("key", "make", tmp_path / "robot")
    key_id = Signer.load(tmp_path / "robot").key_id
    exported = ump("memory", "export", bundle, "--all", "--key", tmp_path / "robot")
    assert exported.code == 0 and f"signed by {key_id}" in exported.out

    def take_in() -> dict[str, list[str]]:
        strict = ("--store", home, "--require-signature", "--json")
        return ump("memory", "import", bundle, *strict).json

    refused = take_in()
    assert refused["added"] == [] and "ump key add" in refused["refused"][0]["reason"]
    rows = ump("memory", "quarantine", "--store", home, "--json").json
    assert [row["name"] for row in rows] == sorted(f"{memory_id}.ump" for memory_id in own)
    table = ump("memory", "quarantine", "--store", home)
    assert key_id in table.out and "2 files in quarantine" in table.out

    ump("key", "add", tmp_path / "robot.pub", "--store", home)
    assert sorted(take_in()["added"]) == sorted(own)
    assert sorted(take_in()["present"]) == sorted(own)
    assert ump("memory", "quarantine", "--store", home, "--json").json == []
    assert ump("memory", "inspect", own[0], "--store", home, "--json").json["signed_by"] == key_id


def test_a_running_server_and_compiler_are_not_in_the_way(
    ump: Ump, tmp_path: Path, own: list[str]
) -> None:
    ump("memory", "export", tmp_path / "out.tar", "--all")
    with MemoryStore(tmp_path / "b") as store, store.lock("server"), store.lock("compiler"):
        version = store.version()
        imported = ("memory", "import", tmp_path / "out.tar", "--store", tmp_path / "b")
        assert ump(*imported).code == 0
        assert store.version() != version  # what the server looks at
        assert sorted(store.ids()) == sorted(own)
        assert ump(*imported, "--json").json["added"] == []


def test_verify_tells_what_a_strict_robot_passes_over(
    ump: Ump, tmp_path: Path, own: list[str]
) -> None:
    (tmp_path / "unsigned.ump").write_bytes(make(3).to_bytes())
    assert ump("memory", "import", tmp_path / "unsigned.ump").code == 0
    assert ump("memory", "verify").code == 0
    strict = ump("memory", "verify", "--require-signature", "--json")
    assert strict.code == 1
    assert [problem["name"] for problem in strict.json["problems"]] == [make(3).id]


def test_quarantine_is_emptied(ump: Ump, tmp_path: Path, own: list[str]) -> None:
    (tmp_path / "cut.ump").write_bytes(make(3).to_bytes()[:900])
    assert ump("memory", "import", tmp_path / "cut.ump").code == 1
    assert "1 files in quarantine, deleted" in ump("memory", "quarantine", "--clear").out
    assert ump("memory", "quarantine").out == "0 files in quarantine\n"


def test_one_way_to_choose_what_is_exported(ump: Ump, tmp_path: Path, own: list[str]) -> None:
    asked = ("--query", "Who?")
    for choice in ((), (own[0], "--all"), ("--all", *asked), (own[0], *asked)):
        assert ump("memory", "export", tmp_path / "out.tar", *choice).code == 2
    assert "empty" in ump("memory", "export", tmp_path / "out.tar", "--query", " ").err
    missing = ump("memory", "export", tmp_path / "out.tar", "--all", "--key", tmp_path / "none")
    assert missing.code == 1 and "cannot read key" in missing.err
    assert not (tmp_path / "out.tar").exists()


@pytest.mark.slow
def test_a_querys_worth_is_what_the_router_picks(ump: Ump, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text(NOTES)
    assert ump("compile", tmp_path / "notes.txt").code == 0
    bundle = tmp_path / "tea.tar"
    result = ump("memory", "export", bundle, "--query", "How should Anna's tea be?", "--json").json
    with MemoryStore(tmp_path / "home", read_only=True) as store:
        texts = {record.provenance.text: record.id for record in store.records()}
    tea = texts["Anna said: my tea should be weak."]
    assert result["exported"] == [tea] and result["relevance"][tea] > 0.5
    with tarfile.open(bundle) as archive:
        assert archive.getnames() == [f"{tea}.ump"]
    every = ("--min-relevance", 0, "--top-k", 2, "--query", "How should Anna's tea be?")
    table = ump("memory", "export", bundle, *every)
    assert tea[:12] in table.out and "2 memories exported" in table.out
    nothing = ump("memory", "export", tmp_path / "none.tar", "--query", "Who is the mayor of Rome?")
    assert nothing.code == 1 and "lower --min-relevance" in nothing.err
    assert not (tmp_path / "none.tar").exists()
