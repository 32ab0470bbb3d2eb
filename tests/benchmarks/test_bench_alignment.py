"""Measures of agreement on sets whose agreement is known, and the command's table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_bench_command import ump

from universal_memory.benchmarks import alignment as bench
from universal_memory.benchmarks.alignment import (
    Agreement,
    linear_cka,
    mutual_neighbours,
    probe_texts,
    retrieval,
)

TEXTS = 200


def drawn(width: int, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(TEXTS, width))


def test_a_set_agrees_with_itself_wholly() -> None:
    one = drawn(24)
    found = Agreement.of(one, one)
    assert (found.neighbours, found.there, found.back) == (1.0, 1.0, 1.0)
    assert found.cka == pytest.approx(1.0)


def test_rotation_shift_and_scale_do_not_count() -> None:
    one = drawn(24)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(24, 24)))[0]
    other = 7.0 * one @ rotation + 3.0
    assert linear_cka(one, other) == pytest.approx(1.0)
    assert mutual_neighbours(one, other) == 1.0
    assert retrieval(one, other) == 1.0


def test_stretched_directions_count_for_nearness_but_not_for_retrieval() -> None:
    one = drawn(24)
    other = one * np.geomspace(1.0, 100.0, 24)
    assert linear_cka(one, other) < 0.7
    assert mutual_neighbours(one, other) < 0.7
    assert retrieval(other, one * 2.0) > 0.1 > 1 / TEXTS


def test_independent_sets_agree_by_chance() -> None:
    found = Agreement.of(drawn(24, 1), drawn(32, 2))
    assert found.neighbours == pytest.approx(10 / (TEXTS - 1), abs=0.02)
    assert found.there <= 0.05 and found.back <= 0.05
    assert found.cka == pytest.approx(0.0, abs=0.05)


def test_texts_are_different_and_the_same_every_time() -> None:
    texts = probe_texts(30, "held_out")
    assert len(set(texts)) == 30 and texts == probe_texts(30, "held_out")


def test_table_has_every_pair_beside_its_control(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Stand:
        width = 8

        def __init__(self, name: str) -> None:
            self.name = name

        def __call__(self, texts: list[str]) -> Any:
            codes = [[float(text.count(one)) for one in "aeiounrt"] for text in texts]
            return np.array(codes, np.float32)

    class Space(Stand):
        space_id, tower = "stand-in", None

        @classmethod
        def load(cls, folder: Path) -> Space:
            return cls(folder.name)

        def encode(self, texts: list[str]) -> Any:
            return self(texts).repeat(512, 1).reshape(len(texts), 16, 256)

    monkeypatch.setattr(bench, "SemanticSpace", Space)
    monkeypatch.setattr(bench, "open_views", lambda names, _tower: [Stand(name) for name in names])
    monkeypatch.setattr(bench, "_passports", lambda *_: None)
    path = tmp_path / "figures.json"
    spaces = ["--space", tmp_path / "plain", "--space", tmp_path / "contrastive"]
    assert ump("alignment", "--texts", 40, "--models", "one,two", *spaces, "--json", path) == 0
    shown = capsys.readouterr().out
    assert "same 10 nearest" in shown and "plain (stand-in)" in shown and "shuffled" in shown
    rows = json.loads(path.read_text())["rows"]
    pairs = [(row["of"], row["with"]) for row in rows]
    assert ("USV, contrastive (stand-in)", "two") in pairs and ("minilm", "one") in pairs
    assert len(rows) == 2 * 3 + 3
    assert all(row["neighbours"] == 1.0 > row["shuffled"]["neighbours"] for row in rows)
