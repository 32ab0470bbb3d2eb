"""A frozen space has one name in all that belongs to it, and golden vectors of that name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import Ump, runner
from safetensors.torch import load_file

from universal_memory.rendering.packages.package import RendererPackage
from universal_memory.resources import models_dir
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.router import Router
from universal_memory.space.golden import NAME, GoldenVectors
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.weights import read_card

RENDERER = Path("renderers/smollm2-135m")


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the trained parts."""
    for part in ("space", "router", "pointer", RENDERER):
        shutil.copytree(models_dir() / part, tmp_path / "models" / part)
    monkeypatch.setenv("UMP_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def ump(models: Path, capsys: pytest.CaptureFixture[str]) -> Ump:
    return runner(capsys, joined=True)


def test_all_parts_are_renamed_and_nothing_else_changes(ump: Ump, models: Path) -> None:
    before = read_card(models / RENDERER / "renderer.safetensors")
    weights = load_file(models / RENDERER / "renderer.safetensors")
    old = str(read_card(models / "space/encoder.safetensors")["space_id"])
    done = ump("train", "freeze", "--version", "mine-7")
    assert done.code == 0, done.err
    new = f"mine-7-{old[-8:]}"
    assert new in done.out
    space = SemanticSpace.load()
    assert space.space_id == new and Router.load(space) and PassportEncoder.load(space)
    assert GoldenVectors.load(models / "space" / NAME).space_id == new
    package = RendererPackage.read(models / RENDERER)
    assert package.manifest.space_id == new
    after = read_card(models / RENDERER / "renderer.safetensors")
    assert after["config"].pop("space_id") == new
    before["config"].pop("space_id")
    assert after == before
    again = load_file(models / RENDERER / "renderer.safetensors")
    assert all(weights[name].equal(value) for name, value in again.items())
    for part in ("space", "router", "pointer", RENDERER):
        told = (models / part / "README.md").read_text()
        assert new in told and old not in told
    assert ump("conformance", "space").json["conforms"]


def test_a_version_is_part_of_an_id(ump: Ump, models: Path) -> None:
    refused = ump("train", "freeze", "--version", "my space")
    assert refused.code == 1 and "'my space" in refused.err
    assert "my space" not in (models / "space/README.md").read_text()
