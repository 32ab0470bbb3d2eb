"""`ump train renderer` on tiny random decoders of every type, from the model to its answers.

The commands are real, and so is the space; only how much is trained, validated and asked is cut.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import Ump, runner
from tiny_models import FAMILIES, assert_untouched, parameters_of, tiny_model
from torch import Tensor

from universal_memory.benchmarks import acceptance
from universal_memory.rendering.adapter import attach
from universal_memory.rendering.fusion import fuse
from universal_memory.rendering.renderer import Renderer
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.resources import models_dir
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training import batches, behaviour, jobs
from universal_memory.training.batches import BatchShape
from universal_memory.training.behaviour import BehaviourTraining
from universal_memory.training.plan import TrainingPlan

SCORES = {"held_out_1": 0.25}


@pytest.fixture(scope="module")
def space() -> SemanticSpace:
    return SemanticSpace.load()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, space: SemanticSpace, tokens: Tensor) -> None:
    """Few memories, questions and facts; the word pieces are spelt once for all models."""
    plan = TrainingPlan(
        accumulate=1, warmup=1, parts=2, checkpoint_minutes=0.0,
        shape=BatchShape(memories=4, questions=1, recitals=1),
    )  # fmt: skip
    facts = acceptance.stored_facts()[:2]
    monkeypatch.setattr(jobs, "_plan", lambda _minutes, steps, *_: replace(plan, steps=steps))
    monkeypatch.setattr(jobs, "piece_tokens", lambda *_: tokens)
    monkeypatch.setattr(behaviour, "START_BATCHES", 1)
    monkeypatch.setattr(batches, "MAX_TOKENS", 128)
    monkeypatch.setattr(acceptance, "MAX_TOKENS", 4)
    monkeypatch.setattr(acceptance, "stored_facts", lambda: facts)
    monkeypatch.setattr(BehaviourTraining, "validate", lambda *_: dict(SCORES))
    monkeypatch.setattr(SemanticSpace, "load", lambda *_args, **_named: space)


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with the trained space and router, and no renderer."""
    folder = tmp_path / "models"
    folder.mkdir()
    for part in ("space", "router"):
        (folder / part).symlink_to(models_dir() / part)
    monkeypatch.setenv("UMP_MODELS", str(folder))
    return folder


@pytest.fixture
def ump(models: Path, capsys: pytest.CaptureFixture[str]) -> Ump:
    return runner(capsys, joined=True)


def saved(family: str, folder: Path, tiny_folder: Path) -> Path:
    """A tiny decoder of `family` with the tokenizer of `tiny_folder`."""
    shutil.copytree(tiny_folder, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    rows = json.loads((tiny_folder / "config.json").read_text())["vocab_size"]
    tiny_model(family, vocabulary=rows).save_pretrained(str(folder))
    return folder


def states(report: dict[str, Any]) -> dict[str, str]:
    return {check["name"]: check["state"] for check in report["checks"]}


@pytest.mark.parametrize("family", FAMILIES)
def test_from_the_model_to_its_answers(
    family: str, ump: Ump, models: Path, tmp_path: Path, tiny_folder: Path, space: SemanticSpace
) -> None:
    folder, run = saved(family, tmp_path / f"tiny-{family}", tiny_folder), tmp_path / "run"
    trained = ump("train", "renderer", "--model", folder, "--steps", 2, "--run", run)
    assert trained.code == 0, trained.err
    assert "NOT accepted: of 2 questions 0.00 right from their own file" in trained.out
    verdict = json.loads((run / "acceptance.json").read_text())
    assert (verdict["accepted"], verdict["questions"], verdict["oracle"]) == (False, 2, 0.0)

    package = models / "renderers" / folder.name
    card = (package / "README.md").read_text()
    assert "| acceptance_oracle | 0 |" in card and "| held_out_1 | 0.25 |" in card
    assert str(tmp_path) not in card
    checked = ump("conformance", "renderer", package, "--model", folder)
    assert checked.code == 1
    assert states(checked.json) == {
        "files": "ok", "signature": "skipped", "space": "ok", "base_model": "ok",
        "acceptance": "failed",
    }  # fmt: skip

    model = LanguageModel(str(folder))
    embeddings = TokenEmbeddings(model.model)
    renderer = Renderer.load(model.architecture, space.space_id, space.reader, embeddings)
    before, prompt = parameters_of(model.model), torch.tensor([model.prompt_ids("Where is it?")])
    plain = model.model(prompt).logits
    usv = torch.from_numpy(space.encode(["The key is in the hall."])[0])
    adapter = fuse([renderer.manner(), renderer.render(usv)])
    with torch.inference_mode(), attach(model.model, model.architecture, adapter):
        assert (model.model(prompt).logits - plain).abs().max() > 1e-4
        assert isinstance(model.generate(prompt.tolist(), 3)[0], str)
    assert_untouched(model.model, before)
    assert torch.equal(model.model(prompt).logits, plain)
