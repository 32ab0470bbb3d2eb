"""`ump trace` as a user meets it: tables, JSON, a heat map, and refusals."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from command_line import Ump, runner

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.ledger import Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.runtime import trace as tracing
from universal_memory.runtime.anatomy import Anatomy, Rank
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.trace import Candidate, Trace

OTHER = "cd" * 32


@pytest.fixture
def ump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ump:
    monkeypatch.setenv("UMP_HOME", str(tmp_path / "home"))
    return runner(capsys, joined=True)


@pytest.fixture
def memory_id(ump: Ump, tmp_path: Path) -> str:
    """A memory in the default store, of a bag in the year 2023."""
    random = np.random.default_rng(1)
    passport = random.normal(size=1024)
    file = MemoryFile.create(
        random.normal(size=(16, 256)), passport / np.linalg.norm(passport), "test-space/1", 1
    )
    origin = Provenance(
        start_stamp=1_700_000_000_250_000_000,
        end_stamp=1_700_000_002_500_000_000,
        streams=("audio/kitchen",),
        source="bag_7",
        text="Anna said: my tea should be weak.",
    )
    with MemoryStore(tmp_path / "home") as store:
        return store.add(file, origin)


@pytest.fixture
def asked(memory_id: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was asked for; the answer is "weak\\x1b", of the memory, unless the question is why."""
    calls: list[Any] = []

    def load(store: MemoryStore, model: str) -> Any:
        assert store.read_only
        calls.append(model)
        return SimpleNamespace()

    def follow(_: object, question: str, *options: Any) -> Trace:
        calls.append((question, *options))
        left_out = Candidate(OTHER, -0.2, 0.001, 0.0, "relevance under 0.5")
        if question == "Why?":
            return Trace(question, "Because.", "BASE", (left_out,), None)
        used = Candidate(memory_id, 0.5, 0.98, 1.0, "")
        return Trace(question, "weak\x1b", "COMPILED", (used, left_out), anatomy(memory_id))

    monkeypatch.setattr(Answerer, "load", staticmethod(load))
    monkeypatch.setattr(tracing, "trace", follow)
    return calls


def anatomy(memory_id: str) -> Anatomy:
    """The second of two layers says "weak" with the token of seat 23, which is of slot 7."""
    effect = np.array([[[0.5, 1.0], [-0.25, 8.0]]], np.float32)
    return Anatomy(
        tokens=(" weak",),
        layers=(18, 19),
        ranks=(Rank(memory_id, 4, "tea", " tea"), Rank(memory_id, 23, "weak", " weak")),
        probability=np.array([0.97], np.float32),
        without=np.array([0.01], np.float32),
        fired=10 * effect,
        effect=effect,
        manner=np.array([[-0.5, -0.25]], np.float32),
    )


def test_an_answer_is_followed_to_word_slot_layer_and_seconds(
    ump: Ump, memory_id: str, asked: list[Any]
) -> None:
    result = ump("trace", "How weak?", "--top-k", 2, "--max-tokens", 5)
    assert result.code == 0, result.err
    assert asked == ["smollm2-135m", ("How weak?", "", 2, 0.5, 5, [])]
    lines = [" ".join(line.split()) for line in result.out.splitlines()]
    assert lines[0] == "weak\\x1b", "an answer must not drive a terminal"
    short = memory_id[:12]
    assert f"{short} 0.50 0.9800 1.00 -" in lines
    assert f"{OTHER[:12]} -0.20 0.0010 0.00 relevance under 0.5" in lines
    assert "' weak' 0.970 0.010 +9.2 -0.8" in lines
    assert f"' weak' +9.0 19 +80 {short} 7 weak 1.00" in lines
    where = f"{short} bag_7 audio/kitchen 2023-11-14 22:13:20 1700000000.250 to 1700000002.500"
    assert f"{where} Anna said: my tea should be weak." in lines


def test_json_has_everything(ump: Ump, tmp_path: Path, memory_id: str, asked: list[Any]) -> None:
    path = tmp_path / "new" / "trace.json"
    assert ump("trace", "How weak?", "--json", path).code == 0
    written = json.loads(path.read_text())
    assert (written["question"], written["source"]) == ("How weak?", "COMPILED")
    assert [one["gate"] for one in written["candidates"]] == [1.0, 0.0]
    assert written["origins"][memory_id]["source"] == "bag_7"
    assert written["origins"][memory_id]["end_seconds"] == 1_700_000_002.5
    taken = written["anatomy"]
    assert taken["ranks"][1] == {
        "memory_id": memory_id, "seat": 23, "slot": 7, "piece": "weak", "token": " weak",
        "gate": 1.0,
    }  # fmt: skip
    assert np.shape(taken["fired"]) == np.shape(taken["effect"]) == (1, 2, 2)
    assert taken["layers"] == [18, 19] and taken["manner"] == [[-0.5, -0.25]]


def test_a_heat_map_is_drawn(ump: Ump, tmp_path: Path, asked: list[Any]) -> None:
    path = tmp_path / "map.png"
    assert f"heat map written to {path}" in ump("trace", "How weak?", "--png", path).out
    assert path.read_bytes().startswith(b"\x89PNG")


def test_without_a_file_it_says_so_and_draws_nothing(
    ump: Ump, tmp_path: Path, asked: list[Any]
) -> None:
    result = ump("trace", "Why?")
    assert result.code == 0 and "no memory file had a part" in result.out
    result = ump("trace", "Why?", "--png", tmp_path / "map.png")
    assert result.code == 1 and "remedy: lower --min-relevance" in result.err
    assert not (tmp_path / "map.png").exists()


def test_wrong_usage_is_told_before_anything_is_loaded(ump: Ump) -> None:
    assert ump("trace", " ").code == 2
    assert "10000 characters" in ump("trace", "x" * 10_000).err
    assert "no memory store at" in ump("trace", "Why?").err
