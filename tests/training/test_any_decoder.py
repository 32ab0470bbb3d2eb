"""`ump train renderer` on tiny random decoders of every type, from the model to its answers.

The commands are real, and so is the space; only how much is trained, validated and asked is cut.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import Ump, runner
from tiny_models import FAMILIES, assert_untouched, parameters_of, tiny_model
from torch import Tensor
from transformers.utils.hub import constants

from universal_memory.benchmarks import acceptance
from universal_memory.rendering.adapter import attach
from universal_memory.rendering.fusion import fuse
from universal_memory.rendering.renderer import Renderer
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.resources import models_dir
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training import batches, behaviour, jobs, renderer_transfer
from universal_memory.training.batches import BatchShape
from universal_memory.training.behaviour import BehaviourTraining
from universal_memory.training.plan import TrainingPlan
from universal_memory.weights import read_card, rewrite_card

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
    """A models folder with the trained space, router and pointer, and no renderer."""
    folder = tmp_path / "models"
    folder.mkdir()
    for part in ("space", "router", "pointer"):
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


def test_an_unknown_decoder_needs_a_file_for_its_training_and_never_again(
    ump: Ump, models: Path, tmp_path: Path, tiny_folder: Path
) -> None:
    folder = saved("gptj", tmp_path / "strange", tiny_folder)
    train = ("train", "renderer", "--model", folder, "--steps", 2, "--run", tmp_path / "run")
    refused = ump(*train)
    assert refused.code == 1 and "no target mlp.down_proj or" in refused.err
    assert "mlp.fc_out (64 -> 32)" in refused.err and "--architecture" in refused.err
    example = re.findall(r"`(\{.*?\})`", refused.err)[0]
    assert example == "{blocks: transformer.h, target: mlp.fc_out, attention: attn}"

    places = tmp_path / "places.yaml"
    places.write_text("target: mlp.fc_in\n")
    refused = ump(*train, "--architecture", places)
    assert refused.code == 1 and "64 outputs, not the 32 of the hidden states" in refused.err
    places.write_text("blok: x\n")
    refused = ump(*train, "--architecture", places)
    assert refused.code == 1 and "has the key 'blok'" in refused.err
    assert not (tmp_path / "run").exists()

    places.write_text(example)
    assert ump(*train, "--architecture", places).code == 0
    package = models / "renderers" / "strange"
    checked = ump("conformance", "renderer", package, "--model", folder, "--quick")
    assert checked.code == 0 and states(checked.json)["base_model"] == "ok"
    assert ump("renderer", "pack", "strange", "--model", folder).code == 0

    notes, store = tmp_path / "notes.txt", tmp_path / "store"
    notes.write_text("Anna said: my tea should be weak.\n")
    assert ump("compile", notes, "--store", store).code == 0
    question = ("query", "How should Anna's tea be?", "--offline", "--store", store, "--json")
    answered = ump(*question, "--model", folder, "--max-tokens", 3)
    assert answered.code == 0, answered.err
    assert answered.json["source"] == "COMPILED"


def test_a_package_goes_where_it_is_told_and_training_goes_on_where_it_was(
    ump: Ump, models: Path, tmp_path: Path, tiny_folder: Path
) -> None:
    run, out = tmp_path / "run", tmp_path / "out" / "mine"
    train = ("train", "renderer", "--run", run, "--out", out)
    assert ump(*train, "--model", tiny_folder, "--steps", 1).code == 0
    first = json.loads((out / "manifest.json").read_text())
    assert ump(*train, "--model", tiny_folder, "--steps", 2).code == 0
    again = json.loads((out / "manifest.json").read_text())
    assert first["name"] == again["name"] == tiny_folder.name
    assert first["files"] != again["files"]
    assert "| steps | 2 |" in (out / "README.md").read_text()
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [event.get("event") for event in events].count("start") == 1
    assert not (models / "renderers").exists()

    other = saved("qwen3", tmp_path / "other", tiny_folder)
    refused = ump(*train, "--model", other, "--steps", 2)
    assert refused.code == 1 and "checkpoint.pt is of another training" in refused.err
    assert f"{tiny_folder.name} (" in refused.err and "another folder with --run" in refused.err


def test_what_cannot_be_trained_is_said_at_once(
    ump: Ump, tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    spaced = Path(shutil.copytree(tiny_folder, tmp_path / "my model"))
    for model, told in (
        ("some-one/decoder", "hf download some-one/decoder --local-dir"),
        (tmp_path / "none", "not a folder with a config.json"),
        (spaced, "'my model' cannot be the name of a renderer"),
    ):
        refused = ump("train", "renderer", "--model", model, "--run", tmp_path / "run")
        assert refused.code == 1 and told in refused.err, refused.err


def test_a_renderer_starts_from_that_of_another_model(
    ump: Ump, models: Path, tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer_transfer, "BATCHES", 3)
    monkeypatch.setattr(renderer_transfer, "HELD_OUT", 1)
    first = saved("llama", tmp_path / "first", tiny_folder)
    second = saved("gemma3", tmp_path / "second", tiny_folder)
    train = ("train", "renderer", "--steps", 1)
    assert ump(*train, "--model", first, "--run", tmp_path / "one").code == 0
    run = tmp_path / "two"
    carried = ump(*train, "--model", second, "--run", run, "--like", first)
    assert carried.code == 0, carried.err
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    [told] = [event for event in log if event.get("event") == "carried over"]
    assert told["tokens"] > 0.0
    card = (models / "renderers" / "second" / "README.md").read_text()
    assert "| start | the renderer of first, carried over |" in card


def test_going_on_keeps_the_gates_and_says_from_what(
    ump: Ump, models: Path, tmp_path: Path, tiny_folder: Path
) -> None:
    model = saved("llama", tmp_path / "first", tiny_folder)
    train = ("train", "renderer", "--steps", 1, "--model", model)
    assert ump(*train, "--run", tmp_path / "one").code == 0
    weights = models / "renderers" / "first" / "renderer.safetensors"
    card = read_card(weights)
    rewrite_card(weights, {**card, "config": {**card["config"], "gate_half": 5.5}})
    began = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    gone_on = ump(*train, "--run", tmp_path / "two", "--start", models)
    assert gone_on.code == 0, gone_on.err
    card = read_card(weights)
    assert card["config"]["gate_half"] == 5.5
    assert card["start"].startswith(f"weights of SHA-256 {began} (1 steps, ")
    assert str(tmp_path) not in json.dumps(card)
