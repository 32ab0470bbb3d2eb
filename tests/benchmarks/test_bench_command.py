"""`ump bench` as a user meets it: tables, JSON, wrong usage; and the real parts, a little."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from universal_memory import cli
from universal_memory.benchmarks import recall


def ump(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["bench", *map(str, arguments)])
    return int(stopped.value.code or 0)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch, answerer: Any) -> None:
    @contextmanager
    def fresh(model: str) -> Iterator[Any]:
        yield answerer

    monkeypatch.setattr(recall, "fresh_answerer", fresh)


def test_fusion_prints_both_tables_and_writes_all(
    stand_in: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "new" / "fusion.json"
    assert ump("fusion", "--files", "2", "--questions", 2, "--json", path) == 0
    shown = capsys.readouterr().out
    assert "smollm2-135m" in shown and "split new_combinations" in shown and " threads" in shown
    assert "near-duplicate" in shown and "render+fuse ms p50/p95" in shown
    assert "both at once" in shown and "the one it is in" in shown
    written = json.loads(path.read_text())
    assert [row["files"] for row in written["files"]] == [1, 1, 2, 2] * 2
    assert {"model", "machine", "split", "seed", "batch", "corpus_files"} < written.keys()


def test_capacity_prints_table_and_knee_and_writes_all(
    stand_in: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "capacity.json"
    assert ump("capacity", "--facts", "1,2", "--episodes", 2, "--json", path) == 0
    shown = capsys.readouterr().out
    assert "facts within 64 pieces" in shown and "recalled facts a kB" in shown
    assert "knee: none" in shown
    assert [row["facts"] for row in json.loads(path.read_text())["rows"]] == [1, 2]


@pytest.mark.parametrize("counts", ["", "0", "1,x", "-2"])
def test_wrong_numbers_are_told_before_anything_is_loaded(
    counts: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, option in (("fusion", "--files"), ("capacity", "--facts")):
        assert ump(command, option, counts) == 2
        assert "give whole numbers from 1" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_the_real_parts_are_measured(tmp_path: Path) -> None:
    path = tmp_path / "fusion.json"
    assert ump("fusion", "--files", "3", "--questions", 4, "--json", path) == 0
    rows = json.loads(path.read_text())["files"]
    assert max(row["exact_match"] for row in rows if row["files"] == 1) > 0
    assert all(1 <= row["files_on"] <= 3 for row in rows)
    path = tmp_path / "capacity.json"
    assert ump("capacity", "--facts", "2", "--episodes", 2, "--json", path) == 0
    assert json.loads(path.read_text())["rows"][0]["facts_within"] == 1.0
