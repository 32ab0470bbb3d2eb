"""`ump compile` as a user meets it, with a space that is a hash."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from command_line import Ump, runner

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.supersession import SupersessionJudge
from universal_memory.runtime import prediction
from universal_memory.runtime.surprise import SurpriseMeter
from universal_memory.space.semantic_space import SemanticSpace


def numbers(text: str, size: int) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).normal(size=size).astype(np.float32)


class HashSpace:
    """Every text has its own vector; words are word pieces."""

    space_id = "test-space/1"
    slot_norm_bounds = (8.0, 24.0)
    reader = SimpleNamespace()
    tower = SimpleNamespace(
        count=lambda text: len(text.split()), token_ids=lambda text: tuple(range(len(text.split())))
    )

    def encode(self, texts: list[str]) -> np.ndarray:
        return np.stack([numbers(text, 4096).reshape(16, 256) for text in texts])


class HashPassports:
    def passports(self, usv: np.ndarray) -> np.ndarray:
        raw = np.stack([one.reshape(-1)[:1024] for one in usv])
        return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def untrained(space: HashSpace, models: Path | None = None) -> None:
    """There is no judge of contradictions over a space of hashes."""
    raise FileNotFoundError("no trained weights")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UMP_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(SemanticSpace, "load", lambda models=None: HashSpace())
    monkeypatch.setattr(PassportEncoder, "load", lambda space_id, models=None: HashPassports())
    monkeypatch.setattr(SupersessionJudge, "load", untrained)
    return tmp_path / "home"


@pytest.fixture
def ump(root: Path, capsys: pytest.CaptureFixture[str]) -> Ump:
    return runner(capsys)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Two episodes hours apart, with `--max-events 4`; one event says nothing new."""
    rows = [
        {"t": 12.5, "stream": "audio", "text": "Anna said: my tea should be weak."},
        {"t": 14.0, "stream": "audio", "text": "Anna said: my tea should be weak."},
        {"t": 9000.0, "stream": "tool", "text": "Tool dock() returned state=ok."},
        {"t": 9001.0, "stream": "camera/front", "text": "Sign reads: pharmacy."},
    ]
    path = tmp_path / "day.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_a_log_becomes_files_with_provenance_and_an_index(ump: Ump, log: Path, root: Path) -> None:
    result = ump("compile", log, "--max-events", 4, "--json")
    assert result.code == 0, result.err
    report = result.json
    assert (report["events"], report["dropped"], report["waiting"]) == (4, 1, 0)
    first, second = report["memories"]
    assert (first["streams"], first["events"]) == (["audio"], 1)
    assert (second["streams"], second["events"]) == (["camera/front", "tool"], 2)
    with MemoryStore(root, read_only=True) as store:
        assert store.ids() == sorted(row["id"] for row in report["memories"])
        record = store.record(second["id"])
        assert record is not None
        assert record.provenance.source == "day.jsonl"
        assert record.provenance.start_stamp == 9_000_000_000_000
        assert record.provenance.text is not None and "pharmacy" in record.provenance.text
        assert PassportIndex.load(root / "index" / "passports.npy").ids() == store.ids()


def test_every_event_is_a_memory_unless_told_otherwise(ump: Ump, log: Path) -> None:
    memories = ump("compile", log, "--json").json["memories"]
    assert [row["events"] for row in memories] == [1, 1, 1]


def test_the_same_log_again_compiles_nothing(ump: Ump, log: Path, root: Path) -> None:
    ump("compile", log)
    again = ump("compile", log)
    assert again.code == 0
    assert "0 events settled: 0 memories" in again.out
    with MemoryStore(root, read_only=True) as store:
        assert len(store.ids()) == 3


def test_table_names_memories_and_counts(ump: Ump, log: Path) -> None:
    out = ump("compile", log, "--max-events", 4).out
    assert "12.500 s" in out and "camera/front, tool" in out
    assert "4 events settled: 2 memories, 1 events without news" in out


def test_no_keep_text_keeps_none(ump: Ump, log: Path, root: Path) -> None:
    ump("compile", log, "--no-keep-text")
    with MemoryStore(root, read_only=True) as store:
        assert [record.provenance.text for record in store.records()] == [None] * 3


def test_what_waits_in_the_buffer_is_compiled_without_a_log(ump: Ump, root: Path) -> None:
    with RollingBuffer(root / "buffer.sqlite") as buffer:
        buffer.append(Event(10**9, "audio", "audio", (1,), "Tom said: the door is open."))
    assert ump("compile", "--json").json["events"] == 1
    assert ump("compile", "--json").json["events"] == 0


def test_an_open_episode_can_be_left_waiting(ump: Ump, root: Path) -> None:
    import time

    with RollingBuffer(root / "buffer.sqlite") as buffer:
        buffer.append(Event(time.time_ns(), "audio", "audio", (1,), "Tom said: the door is open."))
    left = ump("compile", "--no-flush", "--gap-seconds", 3600, "--max-events", 4)
    assert "0 memories" in left.out and "1 wait for their episode to end" in left.out
    assert "1 memories" in ump("compile", "--gap-seconds", 3600).out


def test_months_of_log_do_not_age_out(ump: Ump, tmp_path: Path) -> None:
    path = tmp_path / "year.jsonl"
    path.write_text(
        "\n".join(
            json.dumps({"t": day * 86_400, "text": f"Day {day} was fine."}) for day in range(30)
        )
    )
    report = ump("compile", path, "--json").json
    assert (len(report["memories"]), report["waiting"]) == (30, 0)


def test_nothing_to_compile_is_no_error_and_makes_no_store(ump: Ump, root: Path) -> None:
    result = ump("compile")
    assert result.code == 0 and "0 events settled" in result.out
    assert not root.exists()


def test_a_running_compiler_is_named_with_the_way_out(ump: Ump, log: Path, root: Path) -> None:
    with MemoryStore(root) as store, store.lock("compiler"):
        result = ump("compile", log)
    assert result.code == 1
    assert "already used by a compiler" in result.err and "ump compile --now" in result.err


def test_a_bad_line_changes_nothing(ump: Ump, log: Path, root: Path) -> None:
    log.write_text('{"t": 1, "text": "good"}\n{"t": "late"}\n')
    result = ump("compile", log)
    assert result.code == 1
    assert "line 2" in result.err and "remedy" in result.err
    assert not root.exists()


def test_a_bag_is_sent_to_replay(ump: Ump, tmp_path: Path) -> None:
    result = ump("compile", tmp_path)
    assert result.code == 2 and "ump replay" in " ".join(result.err.split())


def test_now_is_not_for_a_store_of_ones_own(ump: Ump, log: Path) -> None:
    assert ump("compile", log, "--now").code == 2
    assert ump("compile", "--now", "--store", log.parent).code == 2


class Robot:
    """Stands in for the client of the running nodes."""

    answer = SimpleNamespace(
        success=True, message="", ids=["ab" * 32], events=3, dropped=1, compile_ms=12.0
    )
    asked: ClassVar[list[Any]] = []

    def __init__(self, namespace: str) -> None:
        self.asked.append(namespace)

    def __enter__(self) -> Robot:
        return self

    def __exit__(self, *_: object) -> None: ...

    def compile_now(self, flush: bool, timeout: float) -> Any:
        self.asked.append((flush, timeout))
        return self.answer


def test_now_tells_the_running_compiler(ump: Ump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("universal_memory.nodes.client.QueryClient", Robot)
    monkeypatch.setattr(Robot, "asked", [])
    result = ump("compile", "--now", "--no-flush", "--namespace", "robot", "--timeout", 9)
    assert result.code == 0, result.err
    assert Robot.asked == ["robot", (False, 9.0)]
    assert "abababababab" in result.out and "3 events settled: 1 memories" in result.out


def test_a_refusal_of_the_compiler_is_an_error(ump: Ump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("universal_memory.nodes.client.QueryClient", Robot)
    refusal = SimpleNamespace(success=False, message="memory_compiler is inactive: activate it")
    monkeypatch.setattr(Robot, "answer", refusal)
    result = ump("compile", "--now")
    assert result.code == 1 and "activate it" in result.err


def test_a_budget_leaves_out_what_does_not_surprise(
    ump: Ump, log: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class ByLength:
        def begin(self) -> None:
            pass

        def surprise(self, text: str) -> float:
            return len(text) / 100

        def expect(self, text: str) -> None:
            pass

    def load(store: MemoryStore, budget: float, momentum: float, model: str) -> SurpriseMeter:
        assert (store.root, momentum, model) == (root, 0.25, "tiny")
        return SurpriseMeter(ByLength(), budget, momentum)

    monkeypatch.setattr(prediction, "load_meter", load)
    options = ("--budget", 0.6, "--momentum", 0.25, "--model", "tiny")
    out = ump("compile", log, *options).out
    assert "2 memories, 1 events without news, 1 events without surprise" in out
    with MemoryStore(root, read_only=True) as store:
        texts = [record.provenance.text for record in store.records()]
    assert texts == ["Anna said: my tea should be weak.", "Tool dock() returned state=ok."]
    assert ump("compile", log, *options, "--json").json["events"] == 0


def test_without_a_budget_no_language_model_is_loaded(
    ump: Ump, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "load_meter", None)
    assert ump("compile", log, "--json").json["unsurprising"] == 0
    assert ump("compile", log, "--budget", 1.5).code == 2


def test_what_refers_back_is_compiled_with_what_it_refers_to(
    ump: Ump, tmp_path: Path, root: Path
) -> None:
    lines = "Edith came in.\nShe left her glasses in the drawer.\nBen sings.\n"
    (tmp_path / "said.txt").write_text(lines)
    for options, events in (((), [2, 1]), (("--no-join-references",), [1, 1, 1])):
        more = ("--store", tmp_path / f"store{len(events)}", "--json", *options)
        result = ump("compile", tmp_path / "said.txt", *more)
        assert [memory["events"] for memory in result.json["memories"]] == events, result.err
