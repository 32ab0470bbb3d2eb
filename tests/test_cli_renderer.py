"""`ump renderer` and `ump conformance renderer|space` as a user meets them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from command_line import Ump, runner
from tiny_packages import SCORES, SPACE, change_weights, save_package, save_renderer_folder
from torch import nn

from universal_memory.memory.signing import Signer
from universal_memory.resources import models_dir
from universal_memory.weights import save_weights


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A models folder with a space and no renderer."""
    folder = tmp_path / "models"
    save_weights(folder / "space/encoder.safetensors", nn.Linear(1, 1), {"space_id": SPACE})
    monkeypatch.setenv("UMP_MODELS", str(folder))
    return folder


@pytest.fixture
def ump(models: Path, capsys: pytest.CaptureFixture[str]) -> Ump:
    return runner(capsys, joined=True)


@pytest.fixture
def offered(tmp_path: Path) -> Path:
    return save_package(tmp_path / "offered")


def test_install_list_show_verify(ump: Ump, models: Path, offered: Path) -> None:
    assert "no renderer in" in ump("renderer", "list").out
    result = ump("renderer", "install", offered)
    assert result.code == 0 and f"installed as {models / 'renderers' / 'tiny'}" in result.out
    assert "was there already" in ump("renderer", "install", offered).out
    assert ump("renderer", "install", offered, "--json").json["new"] is False
    row = ump("renderer", "list", "--json").json[0]
    assert (row["name"], row["space_id"], row["scores"]) == ("tiny", SPACE, SCORES)
    table = ump("renderer", "list").out
    assert "tiny" in table and "0.500" in table and "2-3" in table
    for package in ("tiny", offered):
        shown = ump("renderer", "show", package, "--json").json
        assert shown["base_model"]["layers"] == 4 and shown["scores"] == SCORES
        assert "configuration layers" in ump("renderer", "show", package).out
        result = ump("renderer", "verify", package)
        assert result.code == 0 and "base_model" in result.out and "skipped" in result.out
    assert ump("renderer", "verify", "tiny", "--json").json["verified"] is True


def test_list_tells_what_is_no_package_or_damaged(ump: Ump, models: Path) -> None:
    save_renderer_folder(models / "renderers" / "own")
    (models / "renderers" / "bad").mkdir()
    (models / "renderers" / "bad" / "renderer.safetensors").write_bytes(b"x")
    rows = {row["name"]: row["package"] for row in ump("renderer", "list", "--json").json}
    assert rows["own"] == "no manifest" and rows["bad"].startswith("damaged")
    assert ump("renderer", "list").code == 0
    assert "ump renderer pack" in ump("renderer", "show", "own").out
    result = ump("renderer", "verify", "own")
    assert result.code == 1 and "no readable manifest.json" in " ".join(result.out.split())


def test_refusals_are_one_line_with_the_remedy(
    ump: Ump, models: Path, offered: Path, tmp_path: Path
) -> None:
    other = save_package(tmp_path / "other", "other/1")
    for arguments, told in (
        (("install", other), f"reads space other/1, installed is {SPACE}; remedy"),
        (("install", tmp_path / "none.tar"), "no renderer package"),
        (("show", "nothing"), "no renderer nothing in"),
        (("verify", "no\x1bthing"), "no renderer no\\x1bthing in"),
        (("pack", "nothing", "-o", tmp_path / "x.tar"), "no renderer nothing in"),
        (("install", offered, "--trusted", tmp_path), "no *.pub key"),
    ):
        result = ump("renderer", *arguments)
        assert result.code == 1 and result.out == "" and told in result.err, arguments
        assert "remedy" in result.err
    assert not (models / "renderers").exists()
    assert ump("renderer", "pack", "tiny", "-o", tmp_path / "x.zip").code == 2
    assert ump("renderer", "install").code == 2


def test_only_what_a_trusted_key_signed(ump: Ump, tmp_path: Path, offered: Path) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    assert ump("key", "make", keys / "robot").code == 0
    signed = save_package(tmp_path / "signed", signer=Signer.load(keys / "robot"))
    result = ump("renderer", "install", offered, "--trusted", keys)
    assert result.code == 1 and "not signed; remedy" in result.err
    assert ump("renderer", "verify", offered, "--trusted", keys).code == 1
    assert ump("renderer", "verify", signed, "--trusted", keys).code == 0
    assert ump("renderer", "install", signed, "--trusted", keys).code == 0
    assert ump("renderer", "list", "--json").json[0]["package"] == "signed"
    result = ump("renderer", "install", offered)
    assert result.code == 1 and "give --force" in result.err
    assert ump("renderer", "install", offered, "--force").code == 0


def test_pack_and_install_elsewhere(
    ump: Ump, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_folder: Path
) -> None:
    from dataclasses import asdict

    import torch

    from universal_memory.rendering.renderer import Renderer, RendererConfig
    from universal_memory.rendering.token_embeddings import TokenEmbeddings
    from universal_memory.runtime.language_model import LanguageModel
    from universal_memory.space.slot_reader import SlotReader

    model = LanguageModel(str(tiny_folder))
    config = RendererConfig.for_architecture(model.architecture, SPACE)
    tokens = torch.zeros(6, 10, 4, dtype=torch.int64)
    reader = SlotReader(torch.randn(10, 44))
    renderer = Renderer(config, reader, TokenEmbeddings(model.model), tokens)
    path = models / "renderers" / "own" / "renderer.safetensors"
    save_weights(path, renderer, {"config": asdict(config)})
    Signer.generate().save(tmp_path / "key")
    archive = tmp_path / "own.tar"
    arguments = ("renderer", "pack", "own", "-o", archive, "--model", tiny_folder)
    result = ump(*arguments, "--key", tmp_path / "key", "--json")
    assert result.code == 0 and result.json["key_id"] and result.json["path"] == str(archive)
    assert ump("renderer", "verify", "own", "--model", tiny_folder).code == 0
    shutil.rmtree(models / "renderers")
    assert ump("renderer", "install", archive).code == 0
    assert path.is_file()
    result = ump("renderer", "pack", "own", "--model", tiny_folder)
    assert result.code == 0 and "manifest.json" in result.out
    assert not (path.parent / "signature.json").exists()


def test_conformance_of_a_renderer(ump: Ump, offered: Path, tmp_path: Path) -> None:
    result = ump("conformance", "renderer", offered)
    assert result.code == 0
    report = result.json
    assert (report["protocol"], report["conforms"], report["name"]) == ("UMP/1", True, "tiny")
    assert {check["name"]: check["state"] for check in report["checks"]} == {
        "files": "ok", "signature": "skipped", "space": "ok", "base_model": "skipped",
        "acceptance": "skipped",
    }  # fmt: skip
    change_weights(offered, lambda tensors: tensors["key"].fill_(float("nan")))
    result = ump("conformance", "renderer", offered, "--quick")
    assert result.code == 1 and result.json["checks"][0]["name"] == "tensors"
    result = ump("conformance", "renderer", tmp_path / "none")
    assert result.code == 1 and result.json["checks"][0]["name"] == "unreadable"


def test_conformance_of_a_space(ump: Ump, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ump("conformance", "space").code == 1  # the one of `models` is no space
    monkeypatch.delenv("UMP_MODELS")
    space = Path(shutil.copytree(models_dir() / "space", tmp_path / "space"))
    (space / "golden.safetensors").unlink()
    result = ump("conformance", "space", space)
    assert result.code == 1 and result.json["checks"][-1]["name"] == "golden"
    result = ump("conformance", "space", space, "--write-golden")
    assert result.code == 0 and result.json["conforms"]
    assert (space / "golden.safetensors").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.name for path in models_dir().glob("renderers/*")))
def test_a_renderer_of_the_repository_is_accepted(
    name: str, ump: Ump, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("UMP_MODELS")
    folder = models_dir() / "renderers" / name
    result = ump("conformance", "renderer", folder)
    assert result.code == 0, result.out
    figures = result.json["acceptance"]
    assert figures["oracle"] >= 0.6 and figures["shuffled"] <= 0.05
    # One whose memories say nothing is whole and signed as well, and fails.
    silent = Path(shutil.copytree(folder, tmp_path / "silent"))

    def silence(tensors: dict[str, Any]) -> None:
        tensors["value"].zero_()
        tensors["word_gain"].zero_()

    change_weights(silent, silence)
    result = ump("conformance", "renderer", silent)
    assert result.code == 1 and result.json["acceptance"]["oracle"] <= 0.1
    states = {check["name"]: check["state"] for check in result.json["checks"]}
    assert states["files"] == "ok" and states["acceptance"] == "failed"
