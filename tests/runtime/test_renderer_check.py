"""What a check of a renderer says of the space and the base model that are here."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from tiny_packages import change_weights
from torch import Tensor, nn

from universal_memory.memory.signing import Signer
from universal_memory.rendering.packages.model_identity import ModelIdentity
from universal_memory.rendering.packages.package import write_manifest
from universal_memory.rendering.places import Places
from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.runtime.renderer_check import RendererReport, check_renderer
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import save_weights

SPACE = "test-space/1"


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path, tower: TextTower, tokens: Tensor
) -> Path:
    """A package for the tiny on-robot model."""
    folder = tmp_path_factory.mktemp("made") / "tiny"
    model = LanguageModel(str(tiny_folder))
    config = RendererConfig.for_architecture(model.architecture, SPACE)
    torch.manual_seed(0)
    reader = SlotReader(tower.codes.codes)
    renderer = Renderer(config, reader, TokenEmbeddings(model.model), tokens)
    save_weights(folder / "renderer.safetensors", renderer, {"config": asdict(config)})
    identity = ModelIdentity.of(model.model, model.architecture, model.tokenizer)
    write_manifest(folder, "tiny", identity)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "tiny"))


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder whose space is the one of the package."""
    path = tmp_path / "models" / "space" / "encoder.safetensors"
    save_weights(path, nn.Linear(1, 1), {"space_id": SPACE})
    return tmp_path / "models"


def states(report: RendererReport) -> dict[str, str]:
    return {check.name: check.state for check in report.checks}


def test_a_good_one_on_its_model(folder: Path, models: Path, tiny_folder: Path) -> None:
    report = check_renderer(folder, models, model=str(tiny_folder))
    assert report.good and report.language_model is not None
    assert states(report) == {
        "files": "ok", "signature": "skipped", "space": "ok", "base_model": "ok",
    }  # fmt: skip


def test_what_is_not_here_is_skipped(folder: Path, tmp_path: Path) -> None:
    report = check_renderer(folder, tmp_path / "nothing")
    assert report.good and report.language_model is None
    assert (states(report)["space"], states(report)["base_model"]) == ("skipped", "skipped")
    named = check_renderer(folder, tmp_path / "nothing", model="no/such/folder")
    assert states(named)["base_model"] == "failed"


def test_a_manifest_does_not_choose_a_folder_to_load(
    folder: Path, models: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_folder, models / "tiny")
    monkeypatch.chdir(models)
    report = check_renderer(folder, models)
    assert states(report)["base_model"] == "skipped" and report.language_model is None


def test_a_damaged_one_is_only_told_why(folder: Path, models: Path) -> None:
    (folder / "renderer.safetensors").write_bytes(b"")
    report = check_renderer(folder, models)
    assert states(report) == {"hash": "failed"} and not report.good and report.package is None


def test_another_space(folder: Path, models: Path) -> None:
    save_weights(models / "space/encoder.safetensors", nn.Linear(1, 1), {"space_id": "other/1"})
    report = check_renderer(folder, models)
    told = next(check.message for check in report.checks if check.name == "space")
    assert not report.good and "reads space test-space/1, installed is other/1; remedy" in told


def test_signatures(folder: Path, models: Path, tiny_folder: Path) -> None:
    signer, model = Signer.generate(), LanguageModel(str(tiny_folder))
    identity = ModelIdentity.of(model.model, model.architecture, model.tokenizer)
    write_manifest(folder, "tiny", identity, signer)
    report = check_renderer(folder, models, {signer.key_id: signer.public_key})
    assert states(report)["signature"] == "ok"
    untold = check_renderer(folder, models).checks
    assert any(signer.key_id in check.message for check in untold if check.name == "signature")
    change_weights(folder, lambda tensors: tensors["seat"].zero_())
    assert not check_renderer(folder, models, {signer.key_id: signer.public_key}).good
    assert check_renderer(folder, models).good


def test_a_fine_tuned_base_is_a_warning_and_another_vocabulary_a_failure(
    folder: Path, models: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    from tiny_models import save_language_model
    from transformers import LlamaForCausalLM

    tuned = Path(shutil.copytree(tiny_folder, tmp_path / "tuned"))
    model = LlamaForCausalLM.from_pretrained(str(tuned))
    model.model.layers[1].mlp.down_proj.weight.data *= 1.5
    model.save_pretrained(str(tuned))
    report = check_renderer(folder, models, model=str(tuned))
    assert report.good and states(report)["base_model"] == "warning"
    assert report.language_model is not None

    other = save_language_model(tmp_path / "other", ["quite other words"] * 9)
    report = check_renderer(folder, models, model=str(other))
    told = next(check.message for check in report.checks if check.name == "base_model")
    assert not report.good and report.language_model is None
    assert "another model" in told and "tokens" in told and "remedy" in told


def test_the_places_are_those_of_the_package(
    folder: Path, models: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    from tiny_models import tiny_model

    other = Path(shutil.copytree(tiny_folder, tmp_path / "other"))
    tiny_model("gptj", vocabulary=900).save_pretrained(str(other))  # its places are not known
    report = check_renderer(folder, models, model=str(other))
    told = next(check.message for check in report.checks if check.name == "base_model")
    assert not report.good and "another model than" in told and "model.layers" in told

    model = LanguageModel(str(other), places=Places(target="mlp.fc_out"))
    config = RendererConfig.for_architecture(model.architecture, SPACE)
    reader, tokens = SlotReader(torch.randn(10, 44)), torch.zeros(6, 10, 4, dtype=torch.int64)
    renderer = Renderer(config, reader, TokenEmbeddings(model.model), tokens)
    package = tmp_path / "strange"
    save_weights(package / "renderer.safetensors", renderer, {"config": asdict(config)})
    identity = ModelIdentity.of(model.model, model.architecture, model.tokenizer)
    write_manifest(package, "strange", identity)
    assert states(check_renderer(package, models, model=str(other)))["base_model"] == "ok"
