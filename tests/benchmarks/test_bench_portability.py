"""Several models on the same files: what is read by all, and how it is compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import runner

from universal_memory.benchmarks import portability as bench
from universal_memory.benchmarks.portability import (
    CONTROLS,
    UNKNOWN,
    Column,
    contained,
    portability,
)

COLUMNS = (Column("words", "held_out", 1), Column("long", "long", 1, "f1"))


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "_fused", lambda *_: {"two": {"memory": 0.5}})


@pytest.mark.slow
def test_two_models_recall_from_the_same_files(fused: None) -> None:
    first, second = models = ["smollm2-135m", "gemma3-270m"]
    told: list[tuple[str, int, int]] = []
    found = portability(models, 3, 2, columns=COLUMNS, advance=lambda *what: told.append(what))
    assert found["files"] == 6 and len(found["files_digest"]) == 64
    rows = {row["set"]: row for row in found["rows"]}
    assert list(rows) == ["words", UNKNOWN, "long", "two"]
    for model in models:
        words = rows["words"]["scores"][model]
        assert words["oracle"] >= 2 / 3 and words["shuffled"] == 0.0
        assert words["none"] == 0.0 and words["context_contained"] >= words["context"]
        assert rows[UNKNOWN]["scores"][model]["memory"] > 0.5
    for row in found["rows"]:
        for mode, ratio in row["ratios"][second].items():
            assert ratio == row["scores"][second][mode] / row["scores"][first][mode]
    assert "shuffled" not in rows["words"]["ratios"][second]
    assert told[-1] == (second, 3, 3)


def test_a_model_beside_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="a, b, a: name each once"):
        portability(["a", "b", "a"], 3, 2)


@pytest.mark.parametrize("controls", [(), ("shuffled", "guessed")])
def test_recall_without_controls_is_refused(controls: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"controls (none|shuffled, guessed): give one or more"):
        portability(["a", "b"], 3, 2, controls=controls)


def test_the_command_prints_a_table_a_mode_and_writes_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    controls = dict.fromkeys(CONTROLS, 0.01) | {contained(mode): 0.23 for mode in CONTROLS}
    figures: dict[str, Any] = {
        "space_id": "s", "files": 2, "files_digest": "d" * 64,
        "rows": [
            {
                "set": "words",
                "scores": {name: {"memory": 0.8, "oracle": 0.9} | controls for name in "ab"},
                "ratios": {"b": {"memory": 0.5}},
            },
            {"set": "two", "scores": {"a": {"memory": 1.0}, "b": {"memory": 1.0}},
             "ratios": {"b": {"memory": 1.0}}},
        ],
    }  # fmt: skip
    monkeypatch.setattr(bench, "portability", lambda *_given, **_named: figures)
    path = tmp_path / "figures.json"
    done = runner(capsys)("bench", "portability", "--models", "a, b", "--json", path)
    assert done.code == 0, done.err
    assert "2 files of space s (ids dddddddddddd)" in done.out
    assert "ratio b" in done.out and "0.500" in done.out
    assert "context, b" in done.out and done.out.count("0.010 (0.230)") == 2 * len(CONTROLS)
    assert json.loads(path.read_text())["rows"] == figures["rows"]
