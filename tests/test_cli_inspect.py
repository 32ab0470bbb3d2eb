"""`ump memory inspect` as a user meets it: the file, its words, what is like it, what it says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Ump, runner

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.ledger import Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.runtime import inspection, renderer_check
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.inspection import QUESTIONS, Reply
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower

SPACE = "test-space/1"
TEXT = "Anna said: my tea should be weak."


@pytest.fixture
def ump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ump:
    monkeypatch.setenv("UMP_HOME", str(tmp_path / "home"))
    return runner(capsys, joined=True)


@pytest.fixture
def space(tower: TextTower) -> SemanticSpace:
    torch.manual_seed(0)
    return SemanticSpace(tower, UniversalEncoder(blocks=1), SPACE)


@pytest.fixture
def ids(ump: Ump, tmp_path: Path, space: SemanticSpace) -> list[str]:
    """Three memories of one text, each with a passport a little further from the first's."""
    usv = space.encode([TEXT])[0]
    first, other = np.eye(1024, dtype=np.float32)[:2]
    origin = Provenance(
        start_stamp=2_500_000_000, end_stamp=4_000_000_000, streams=("audio/kitchen",),
        source="bag_7", pose={"frame_id": "map"}, text=TEXT,
    )  # fmt: skip
    with MemoryStore(tmp_path / "home") as store:
        found = []
        for number in range(3):
            passport = first + 0.5 * number * other
            passport /= np.linalg.norm(passport)
            found.append(store.add(MemoryFile.create(usv, passport, SPACE, number + 1), origin))
        return found


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, space: SemanticSpace) -> None:
    """The space of the memories, in the place of the trained one."""
    monkeypatch.setattr(renderer_check, "installed_space_id", lambda _: SPACE)
    monkeypatch.setattr(SemanticSpace, "load", staticmethod(lambda: space))


def test_the_file_and_where_it_came_from(ump: Ump, ids: list[str]) -> None:
    shown = ump("memory", "inspect", ids[0][:8], "--json").json
    assert (shown["id"], shown["space_id"], shown["counter"]) == (ids[0], SPACE, 1)
    assert shown["bytes"] == Path(shown["path"]).stat().st_size and shown["signed_by"] is None
    assert shown["slot_norms"] == pytest.approx([16.0] * 16, abs=0.1)
    origin = shown["provenance"]
    assert (origin["source"], origin["streams"]) == ("bag_7", ["audio/kitchen"])
    assert (origin["start_seconds"], origin["end_seconds"]) == (2.5, 4.0)
    assert (origin["pose"], origin["text"]) == ({"frame_id": "map"}, TEXT)
    lines = [" ".join(line.split()) for line in ump("memory", "inspect", ids[0]).out.splitlines()]
    assert f"{ids[0][:12]} bag_7 audio/kitchen 2.500 s 2.500 to 4.000 {TEXT}" in lines
    assert "pose {'frame_id': 'map'}" in lines


def test_the_nearest_passports_are_named(ump: Ump, ids: list[str]) -> None:
    near = ump("memory", "inspect", ids[0], "--json").json["near"]
    assert [one["id"] for one in near] == ids[1:]
    assert [one["cosine"] for one in near] == pytest.approx([1.25**-0.5, 2**-0.5], abs=1e-3)
    assert near[0]["provenance"]["source"] == "bag_7"


def test_the_words_in_the_seats_are_read(
    ump: Ump, ids: list[str], installed: None, space: SemanticSpace
) -> None:
    shown = ump("memory", "inspect", ids[0], "--json").json
    pieces = shown["pieces"]
    assert [piece["seat"] for piece in pieces] == sorted(piece["seat"] for piece in pieces)
    assert all(piece["slot"] == piece["seat"] % 16 for piece in pieces)
    assert len(shown["like"]) == 3 and -1 <= shown["like"][0]["cosine"] <= 1
    table = ump("memory", "inspect", ids[0]).out
    assert "A reader of the space recovers these words" in table and shown["words"] in table


def test_another_space_is_not_read_and_not_asked(ump: Ump, ids: list[str]) -> None:
    shown = ump("memory", "inspect", ids[0], "--json").json
    assert shown["words"] is shown["like"] is shown["answers"] is None
    assert f"the memory's {SPACE}" in shown["unread"]
    assert "words not read: the space here is" in ump("memory", "inspect", ids[0]).out
    result = ump("memory", "inspect", ids[0], "--answers")
    assert result.code == 1 and "remedy: set UMP_MODELS" in result.err


def test_it_is_asked_only_where_that_is_wanted(
    ump: Ump, ids: list[str], installed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def replies(_: object, memory_id: str, questions: list[str]) -> list[Reply]:
        asked.append((memory_id, list(questions)))
        return [Reply(question, "weak\x1b", 0.25) for question in questions]

    monkeypatch.setattr(Answerer, "load", staticmethod(lambda *_: SimpleNamespace()))
    monkeypatch.setattr(inspection, "replies", replies)
    assert ump("memory", "inspect", ids[0], "--json").json["answers"] is None
    assert asked == []
    shown = ump("memory", "inspect", ids[0], "--ask", "Q?", "--ask", "Who?", "--json").json
    assert shown["answers"][1] == {"question": "Who?", "answer": "weak\x1b", "relevance": 0.25}
    table = ump("memory", "inspect", ids[0], "--answers").out
    assert "weak\\x1b" in table
    assert asked == [(ids[0], ["Q?", "Who?"]), (ids[0], list(QUESTIONS))]
