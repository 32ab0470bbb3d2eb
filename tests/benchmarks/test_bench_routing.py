"""Routing among generated files, with parts that were not trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from universal_memory.benchmarks import routing as bench
from universal_memory.commands.bench import app
from universal_memory.routing.calibration import Calibration
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.reranker import Reranker
from universal_memory.routing.router import Router
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.training import read_corpus
from universal_memory.training.retrieval import start
from universal_memory.training.retrieval_corpus import RetrievalCorpus


@pytest.fixture
def untrained(tower: TextTower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SemanticSpace:
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    # The tower is shared by all tests, and would stay in bfloat16.
    monkeypatch.setattr(read_corpus, "fast_bfloat16", lambda: False)
    space = SemanticSpace(tower, UniversalEncoder(blocks=1), "untrained/1")
    questions = QuestionEncoder()
    passports = PassportEncoder(space.reader, questions.pieces)
    corpus = RetrievalCorpus(tower.token_ids, len(space.reader.codes), 0, "train", 100)
    start(passports, questions, corpus)
    router = Router(tower.token_ids, questions, Reranker(questions.pieces), Calibration())
    monkeypatch.setattr(SemanticSpace, "load", lambda: space)
    passports.requires_grad_(False)
    monkeypatch.setattr(PassportEncoder, "load", lambda space, pieces: passports)
    monkeypatch.setattr(Router, "load", lambda space: router)
    return space


def test_rows_of_every_size_and_split(untrained: SemanticSpace) -> None:
    told: list[str] = []
    figures = bench.routing([120, 240], 20, lambda stage, *_: told.append(stage), seed=4)
    rows = figures["rows"]
    assert [(row["files"], row["split"]) for row in rows] == [
        (size, split) for size in (120, 240) for split in bench.SPLITS
    ]
    assert {"encoding", "indexing"} <= set(told)
    for row in rows:
        assert 0.5 < row["index_agreement"] <= 1
        assert 0 <= row["recall_at_1"] <= row["recall_at_5"] <= 1
        assert 0 <= row["auroc_strangers"] <= 1
        assert row["ms"]["whole"]["p50"] > row["ms"]["routing"]["p50"]
        assert row["ms"]["routing"]["p50"] > row["ms"]["encode"]["p50"] > 0
    assert rows[2]["questions"] == rows[0]["questions"]
    assert 0.3 < figures["pieces_read"] <= 1


def test_what_was_read_is_kept(untrained: SemanticSpace, monkeypatch: pytest.MonkeyPatch) -> None:
    first = bench.routing([120], 20, lambda *_: None, seed=4)
    monkeypatch.setattr(read_corpus, "_read", lambda *_: pytest.fail("read again"))
    second = bench.routing([120], 20, lambda *_: None, seed=4)
    assert first["pieces_read"] == second["pieces_read"]
    assert [row["recall_at_5"] for row in first["rows"]] == [
        row["recall_at_5"] for row in second["rows"]
    ]


def test_an_index_kept_is_not_taken_for_a_store_of_other_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    drawn = np.random.default_rng(0).normal(size=(20, 1024)).astype(np.float32)
    every = np.concatenate([drawn, drawn])  # the same files have other numbers
    for numbers in (np.arange(20), np.arange(20, 40)):
        for _ in range(2):  # made, then loaded
            store = bench._Store(every, numbers, lambda *_: None)
            assert set(store.search(drawn[3], 20)[0].tolist()) == set(numbers.tolist())


def test_command_writes_what_it_shows(untrained: SemanticSpace, tmp_path: Path) -> None:
    arguments: list[Any] = ["routing", "--files", "120", "--questions", "20", "--json", "r.json"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "recall@5" in shown.output
    assert "reliability, 120 files, unseen words" in shown.output
    assert len(json.loads((tmp_path / "r.json").read_text())["rows"]) == 2
    refused = CliRunner().invoke(app, ["routing", "--files", "few"])
    assert refused.exit_code == 2
