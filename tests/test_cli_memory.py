"""`ump` as a user meets it: tables, JSON, exit codes, and one line for every error."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import Ump, runner
from typer.main import get_command

from universal_memory import cli
from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event, Modality
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.ledger import Provenance
from universal_memory.memory.signing import Signer
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex


def make(seed: int, signer: Signer | None = None) -> MemoryFile:
    random = np.random.default_rng(seed)
    passport = random.normal(size=1024)
    return MemoryFile.create(
        random.normal(size=(16, 256)),
        passport / np.linalg.norm(passport),
        "test-space/1",
        seed,
        signer,
    )


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "home"
    monkeypatch.setenv("UMP_HOME", str(root))
    return root


@pytest.fixture
def ump(root: Path, capsys: pytest.CaptureFixture[str]) -> Ump:
    return runner(capsys)


@pytest.fixture
def ids(root: Path) -> list[str]:
    """Three memories in the default store, with an index."""
    with MemoryStore(root) as store:
        origin = Provenance(
            compiled_stamp=1_700_000_000_000_000_000,
            streams=("audio/kitchen",),
            source="household_day",
            text="Anna said: my tea should be weak.",
        )
        found = [store.add(make(seed), origin) for seed in (1, 2, 3)]
        PassportIndex.open(store)
    return found


def test_help_is_fast_because_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from universal_memory import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'transformers', 'cryptography', 'rclpy'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "memory" in done.stdout and "conformance" in done.stdout


def test_every_command_has_help_and_is_listed_once(ump: Ump) -> None:
    overview = ump("--help")
    for name in cli.COMMANDS:
        if (Path(cli.__file__).parent / "commands" / f"{name}.py").exists():
            assert overview.out.count(f"\n│ {name} ") == 1
            assert ump(name, "--help").code == 0
        else:
            assert ump(name).code == 2
    assert ump("--version").out.startswith("ump ")
    assert ump("nonsense").code == 2
    assert ump().code == 2


def test_every_option_has_help_that_is_shown_whole() -> None:
    """Square brackets would be markup, and vanish."""
    for name in cli.COMMANDS:
        module = importlib.import_module(f"universal_memory.commands.{name}")
        command = get_command(module.app)
        for each in [command, *getattr(command, "commands", {}).values()]:
            assert each.help and "[" not in each.help, (name, each.name)
            for parameter in each.params:
                text = getattr(parameter, "help", None)
                assert text and "[" not in text, (name, each.name, parameter.name)


def test_list(ump: Ump, ids: list[str]) -> None:
    table = ump("memory", "list")
    assert table.code == 0 and "household_day" in table.out and "2023-11-14" in table.out
    assert all(memory_id[:12] in table.out for memory_id in ids)
    rows = ump("memory", "list", "--json").json
    assert sorted(row["id"] for row in rows) == sorted(ids)
    assert rows[0]["streams"] == ["audio/kitchen"] and rows[0]["counter"] == 1
    assert len(ump("memory", "list", "--json", "--limit", 2).json) == 2


def test_list_shows_memories_without_a_row(ump: Ump, root: Path, ids: list[str]) -> None:
    for path in root.glob("ledger.sqlite*"):
        path.unlink()
    rows = ump("memory", "list", "--json").json
    assert [row["id"] for row in rows] == sorted(ids)
    assert "unknown" in ump("memory", "list").out


def test_control_characters_never_reach_the_terminal(ump: Ump, root: Path) -> None:
    with MemoryStore(root) as store:
        memory_id = store.add(make(1), Provenance(source="bag\x1b[2J", text="[red]a\nb\x07"))
    for out in (ump("memory", "list").out, ump("memory", "inspect", memory_id).out):
        assert "\x1b" not in out and "\x07" not in out
    assert "[red]a" in ump("memory", "inspect", memory_id).out


def test_verify(ump: Ump, root: Path, ids: list[str]) -> None:
    assert ump("memory", "verify").code == 0
    damaged = root / "files" / ids[1][:2] / f"{ids[1]}.ump"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\xff")
    result = ump("memory", "verify", "--json")
    assert result.code == 1
    assert [problem["name"] for problem in result.json["problems"]] == [ids[1]]
    assert "1 problems" in ump("memory", "verify").out


def test_export_and_import(ump: Ump, tmp_path: Path, ids: list[str]) -> None:
    bundle, colleague = tmp_path / "out.tar", tmp_path / "colleague"
    assert ump("memory", "export", bundle, "--all").code == 0
    one = ump("memory", "export", tmp_path / "one.ump", ids[0][:8], "--json").json
    assert one == {"exported": [ids[0]], "paths": [str(tmp_path / "one.ump")]}
    result = ump("memory", "import", bundle, tmp_path / "one.ump", "--store", colleague, "--json")
    assert result.code == 0
    assert sorted(result.json["added"]) == sorted(ids) and result.json["present"] == [ids[0]]
    assert PassportIndex.load(colleague / "index" / "passports.npy").ids() == sorted(ids)
    assert "imported" in ump("memory", "list", "--store", colleague).out
    assert ump("memory", "export", bundle).code == 2
    assert ump("memory", "export", bundle, "--all", ids[0]).code == 2


def test_import_refuses_with_the_reason(ump: Ump, tmp_path: Path, ids: list[str]) -> None:
    folder = tmp_path / "offered"
    folder.mkdir()
    assert ump("memory", "import", folder).code == 1  # nothing there
    (folder / "good.ump").write_bytes(make(9).to_bytes())
    (folder / "cut.ump").write_bytes(make(8).to_bytes()[:900])
    result = ump("memory", "import", folder)
    assert result.code == 1 and "1 memories imported" in result.out
    assert "cut.ump: malformed" in result.err and result.err.count("\n") == 1
    result = ump("memory", "import", folder / "good.ump", "--space", "other/1", "--json")
    assert result.code == 1 and result.json["refused"][0]["reason"].startswith("space")


def test_keys_make_and_check_signatures(ump: Ump, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    assert ump("key", "make", keys / "robot").code == 0
    signed, unsigned = tmp_path / "signed.ump", tmp_path / "unsigned.ump"
    signed.write_bytes(make(1, Signer.load(keys / "robot")).to_bytes())
    unsigned.write_bytes(make(2).to_bytes())
    result = ump("memory", "import", signed, unsigned, "--trusted", keys)
    assert result.code == 1 and "1 memories imported" in result.out
    assert "unsigned.ump: signature" in result.err
    assert ump("key", "make", keys / "robot").code == 1  # never overwrites
    assert "no *.pub key" in ump("memory", "import", signed, "--trusted", tmp_path).err


def test_forget(ump: Ump, root: Path, ids: list[str]) -> None:
    assert ump("memory", "forget", ids[0]).code == 2  # nobody to ask
    result = ump("memory", "forget", ids[0][:10], ids[0], ids[1], "--yes")
    assert result.code == 0 and "2 memories forgotten" in result.out
    assert MemoryStore(root).ids() == [ids[2]]
    assert PassportIndex.load(root / "index" / "passports.npy").ids() == [ids[2]]
    result = ump("memory", "forget", ids[0], "--yes")
    assert result.code == 1 and result.err.startswith("ump: no memory has an id")


def test_forget_erases_the_words_that_wait_in_the_buffer(
    ump: Ump, root: Path, ids: list[str]
) -> None:
    with RollingBuffer(root / "buffer.sqlite") as buffer:
        for second, memory_id in enumerate(ids):
            event = Event(second, "audio", Modality.AUDIO, (1,), f"My code is {second}86753.")
            buffer.mark_compiled([buffer.append(event)], memory_id)
        with MemoryStore(root).lock("compiler"):
            assert ump("memory", "forget", ids[0], "--yes").code == 0
        assert ids[0] in buffer.compiled_ids()  # the running compiler erases them
    assert ump("memory", "forget", ids[1], "--yes").code == 0
    words = b"".join(path.read_bytes() for path in root.glob("buffer.sqlite*"))
    assert b"086753" in words and b"186753" not in words


def test_reindex_heals(ump: Ump, root: Path, ids: list[str]) -> None:
    (root / "ledger.sqlite").write_bytes(b"damaged" * 999)
    (root / "index" / "passports.npy").write_bytes(b"damaged")
    (root / "files" / ids[0][:2] / f"{ids[0]}.ump").write_bytes(b"damaged")
    result = ump("memory", "list")
    assert result.code == 1 and "ump memory reindex" in result.err
    result = ump("memory", "reindex")
    assert result.code == 1 and "2 memories kept" in result.out  # one file was quarantined
    assert "may hold text" in result.out
    assert ump("memory", "verify").code == 0
    assert ump("memory", "reindex", "--json").json["kept"] == 2
    assert PassportIndex.load(root / "index" / "passports.npy").ids() == sorted(ids[1:])
    with MemoryStore(root).lock("server"):
        assert "already used by a server (pid" in ump("memory", "reindex").err


def test_errors_are_one_line_with_the_remedy(
    ump: Ump, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (("list",), ("inspect", "abcd"), ("verify",), ("export", "x.tar", "--all")):
        result = ump("memory", *arguments)
        assert result.code == 1 and result.out == "" and "remedy:" in result.err
        assert result.err.startswith("ump: no memory store at ") and result.err.count("\n") == 1
    assert not root.exists()
    monkeypatch.setenv("UMP_DEBUG", "1")
    with pytest.raises(RuntimeError, match="no memory store"):
        cli.main(["memory", "list"])


def test_unexpected_errors_say_how_to_see_more(ump: Ump, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug\nin two lines")

    monkeypatch.setattr(MemoryStore, "__init__", fail)
    result = ump("memory", "list")
    assert result.code == 1
    assert result.err == (
        "ump: ZeroDivisionError: a bug in two lines (set UMP_DEBUG=1 to see where)\n"
    )


def test_conformance_file(ump: Ump, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.ump", tmp_path / "bad.ump"
    good.write_bytes(make(1).to_bytes())
    bad.write_bytes(make(2).to_bytes() + b"x")
    result = ump("conformance", "file", good)
    assert result.code == 0
    assert (result.json["protocol"], result.json["conforming"]) == ("UMP/1", 1)
    assert result.json["files"][0] == {
        "name": str(good),
        "conforms": True,
        "id": make(1).id,
        "space_id": "test-space/1",
        "counter": 1,
        "key_id": None,
        "canonical": True,
    }
    result = ump("conformance", "file", good, bad, tmp_path / "none.ump")
    assert result.code == 1
    assert [file.get("reason") for file in result.json["files"]] == [
        None,
        "malformed",
        "unreadable",
    ]
    assert (
        ump("conformance", "file", good, "--space", "other/1").json["files"][0]["reason"] == "space"
    )
    assert ump("conformance", "file").code == 2
