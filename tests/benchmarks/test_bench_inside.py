"""Tracing and labels measured: what counts as right, and the commands that tell it."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Ump, runner
from stand_ins import answerer_of

from universal_memory.benchmarks import labels, recall, tracing
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pieces import PieceNetwork
from universal_memory.runtime.anatomy import Anatomy, Rank
from universal_memory.runtime.answer import Prepared
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.probes import PROBES
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.training.corpora.families import FAMILIES


@pytest.fixture
def ump(capsys: pytest.CaptureFixture[str]) -> Ump:
    return runner(capsys, joined=True)


def test_the_first_word_counts_only_in_the_right_file(
    store: MemoryStore, tower: TextTower, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SimpleNamespace(prompt_ids=lambda question: [1])
    answerer = answerer_of(store, model)
    answerer.space = SimpleNamespace(
        tower=tower, space_id="stand-in/1", encode=answerer.space.encode
    )
    groups = tracing.random_groups(4, 2, "held_out", 7)
    wanted = [group.answers[0] for group in groups]
    named = iter(["right", "other", "right", "silent"])

    def dissected(_: object, ready: Prepared, most: int) -> tuple[str, Any]:
        """Of two files with one word each, the answer's; one is loud."""
        kind = next(named)
        ids = [hit.id for hit in ready.hits]
        answer = wanted.pop(0)
        if kind == "silent":
            return "", None
        piece = tracing.first_piece(answerer.space, answer)
        effect = np.zeros((1, 1, 4), np.float32)
        effect[0, 0, 0 if kind == "right" else 1] = 5.0
        ranks = tuple(
            Rank(memory_id, seat, word, word)
            for seat, word in enumerate((piece, "of"))
            for memory_id in ids
        )
        return answer, Anatomy(
            ("x",), (3,), ranks, np.ones(1), np.zeros(1), effect, effect, np.zeros((1, 1))
        )

    monkeypatch.setattr(tracing, "dissected", dissected)
    (row,) = tracing.tracing(answerer, [2], 4, "held_out", 7)
    assert (row["files"], row["questions"], row["exact"]) == (2, 3, 1.0)
    assert row["right_file"] == row["right_word"] == pytest.approx(2 / 3)
    assert row["right_file_by_chance"] == 0.5 and row["right_word_by_chance"] == 0.25


def test_every_label_has_families_and_no_family_two() -> None:
    assert labels.FAMILIES_OF.keys() == PROBES.keys()
    families = [name for names in labels.FAMILIES_OF.values() for name in names.split()]
    assert len(families) == len(set(families)) and set(families) <= FAMILIES.keys()


def test_labels_are_counted_over_all_texts(tower: TextTower) -> None:
    torch.manual_seed(0)
    space = SemanticSpace(tower, UniversalEncoder(blocks=1), "test-space")
    passports = PassportEncoder(space.reader, PieceNetwork()).requires_grad_(False)
    rows = labels.labels(space, passports, episodes=1)
    assert [row["label"] for row in rows] == [*PROBES, "all"]
    assert rows[-1]["episodes"] == len(PROBES)
    assert rows[-1]["by_slots"] == pytest.approx(np.mean([row["by_slots"] for row in rows[:-1]]))


def test_the_command_prints_and_writes(
    ump: Ump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("exact", "right_file", "right_file_by_chance", "right_word", "right_word_by_chance",
             "right_word_of_exact")  # fmt: skip
    row = {"files": 3, "questions": 2, **dict.fromkeys(names, 0.5), "right_word_of_exact": None}
    monkeypatch.setattr(recall, "fresh_answerer", lambda _: nullcontext())
    monkeypatch.setattr(tracing, "tracing", lambda *_: [row])
    result = ump("bench", "trace", "--json", tmp_path / "trace.json")
    assert result.code == 0 and "right word" in result.out and "held_out" in result.out
    assert json.loads((tmp_path / "trace.json").read_text())["rows"] == [row]
    assert ump("bench", "trace", "--files", "0").code == 2


@pytest.mark.slow
def test_the_real_parts_are_measured(ump: Ump, tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    assert ump("bench", "trace", "--files", "2", "--questions", 6, "--json", path).code == 0
    (row,) = json.loads(path.read_text())["rows"]
    assert row["right_word"] > 0.5 > row["right_word_by_chance"]
    assert ump("bench", "labels", "--episodes", 4, "--json", path).code == 0
    assert json.loads(path.read_text())["rows"][-1]["by_slots"] > 0.4
