"""`ump memory consolidate`: dry run, merging, undo and confirmation, as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import Ump, runner
from sleepers import TEXTS, Sleeper

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event, Modality
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex, path_in
from universal_memory.runtime.consolidation import Consolidator
from universal_memory.space.text_tower import TextTower


@pytest.fixture(scope="module")
def sleeper(tower: TextTower) -> Sleeper:
    return Sleeper.of(tower)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sleeper: Sleeper) -> Path:
    root = tmp_path / "home"
    monkeypatch.setenv("UMP_HOME", str(root))
    monkeypatch.setattr(
        Consolidator, "load", lambda store, learned: sleeper.consolidator(store)
    )
    return root


@pytest.fixture
def ids(root: Path, sleeper: Sleeper) -> list[str]:
    with MemoryStore(root) as store:
        return sleeper.remember(store)


@pytest.fixture
def ump(root: Path, capsys: pytest.CaptureFixture[str]) -> Ump:
    return runner(capsys)


def indexed(root: Path) -> list[str]:
    with MemoryStore(root, read_only=True) as store:
        assert PassportIndex.load(path_in(store)).ids() == store.ids()
        return store.ids()


def test_a_dry_run_changes_nothing(ump: Ump, root: Path, ids: list[str]) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*.ump")}
    shown = ump("memory", "consolidate", "--dry-run", "--group", 3, "--json").json
    assert (shown["files_before"], shown["files_after"], shown["ratio"]) == (6, 2, 3.0)
    assert sorted(one for row in shown["merged"] for one in row["originals"]) == sorted(ids)
    assert {path: path.read_bytes() for path in root.rglob("*.ump")} == before
    assert "6 files would become 2, 3.00 : 1" in ump("memory", "consolidate", "--dry-run").out


def test_merge_undo_and_merge_again_give_the_same(ump: Ump, root: Path, ids: list[str]) -> None:
    result = ump("memory", "consolidate", "--group", 3)
    assert result.code == 0 and "6 files became 2, 3.00 : 1" in result.out
    assert "--undo" in result.out and "--confirm" in result.out
    merged = indexed(root)
    assert len(merged) == 2 and not set(merged) & set(ids)
    assert "2 memories, and 6 that are merged into them" in ump("memory", "list").out
    assert {row["id"] for row in ump("memory", "list", "--json").json} == set(merged)
    assert ump("memory", "verify").code == 0
    again = ump("memory", "consolidate")
    assert "2 files left alone: merged, not confirmed" in again.out
    result = ump("memory", "consolidate", "--undo", "--json").json
    assert sorted(result["undone"]) == merged and sorted(result["originals"]) == sorted(ids)
    assert indexed(root) == sorted(ids)
    ump("memory", "consolidate", "--group", 3)
    assert indexed(root) == merged


def test_confirmed_originals_are_gone(ump: Ump, root: Path, ids: list[str]) -> None:
    ump("memory", "consolidate", "--group", 3)
    merged = indexed(root)
    assert "6 originals deleted for good" in ump("memory", "consolidate", "--confirm").out
    assert indexed(root) == merged and len(list(root.rglob("*.ump"))) == 2
    assert "0 merged files undone" in ump("memory", "consolidate", "--undo").out
    text = b"".join(path.read_bytes() for path in root.glob("ledger.sqlite*"))
    assert all(memory_id.encode() not in text for memory_id in ids)
    assert ump("memory", "verify").code == 0


def test_what_is_forgotten_is_forgotten_in_every_shape(
    ump: Ump, root: Path, ids: list[str]
) -> None:
    with RollingBuffer(root / "buffer.sqlite") as buffer:
        for second, (memory_id, words) in enumerate(zip(ids, TEXTS, strict=True)):
            event = Event(second, "audio", Modality.AUDIO, (1,), words)
            buffer.mark_compiled([buffer.append(event)], memory_id)
    shown = ump("memory", "consolidate", "--group", 3, "--json").json["merged"]
    first, second = shown
    gone = ump("memory", "forget", first["id"], "--yes", "--json").json["forgotten"]
    assert set(gone) == {first["id"], *first["originals"]}
    lone, *others = second["originals"]
    gone = ump("memory", "forget", lone[:12], "--yes", "--json").json["forgotten"]
    assert set(gone) == {second["id"], lone}
    assert indexed(root) == sorted(others)
    with RollingBuffer(root / "buffer.sqlite") as buffer:
        assert buffer.compiled_ids() == set(others)


def test_a_running_compiler_has_to_be_stopped_and_a_server_has_not(
    ump: Ump, root: Path, ids: list[str]
) -> None:
    with MemoryStore(root) as store, store.lock("server"):
        with store.lock("compiler"):
            result = ump("memory", "consolidate")
            assert result.code == 1 and "already used by a compiler" in result.err
            assert ump("memory", "consolidate", "--undo").code == 1
        assert store.ids() == sorted(ids)
        assert ump("memory", "consolidate", "--group", 3).code == 0


def test_events_of_a_killed_compiler_are_not_compiled_twice(
    ump: Ump, root: Path, ids: list[str]
) -> None:
    with RollingBuffer(root / "buffer.sqlite") as buffer:
        sequence = buffer.append(Event(1, "audio", Modality.AUDIO, (1,), TEXTS[0]))
        buffer.claim([sequence], ids[0])
    assert ump("memory", "consolidate", "--group", 3).code == 0
    with RollingBuffer(root / "buffer.sqlite") as buffer:
        assert not buffer.claims() and not buffer.pending()


def test_one_thing_at_a_time(ump: Ump, root: Path, ids: list[str]) -> None:
    assert ump("memory", "consolidate", "--undo", "--confirm").code == 2
    assert ump("memory", "consolidate", "--group", 1).code == 2
