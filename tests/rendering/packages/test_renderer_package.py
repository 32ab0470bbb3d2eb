"""A package is what its manifest says, or it is refused before anything of it is used."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_packages import (
    SCORES,
    SPACE,
    change_manifest,
    change_weights,
    save_package,
    save_renderer_folder,
    tiny_identity,
)

from universal_memory.memory.signing import Signer
from universal_memory.rendering.packages.manifest import PackageError
from universal_memory.rendering.packages.package import RendererPackage, write_manifest
from universal_memory.resources import models_dir


def refusal(folder: Path, trusted: dict[str, bytes] | None = None) -> str:
    with pytest.raises(PackageError) as refused:
        RendererPackage.read(folder, trusted)
    assert "Traceback" not in str(refused.value)
    return refused.value.reason


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_package(tmp_path / "tiny")


def test_what_was_written_is_read(folder: Path) -> None:
    package = RendererPackage.read(folder)
    manifest = package.manifest
    assert (manifest.name, manifest.space_id, manifest.scores) == ("tiny", SPACE, SCORES)
    assert (manifest.layers, manifest.attention_layers) == ((2, 3), (1, 2, 3))
    assert manifest.base_model == tiny_identity() and package.key_id == ""
    assert set(manifest.files) == {"renderer.safetensors", "README.md"}


def test_every_renderer_of_the_repository_is_a_package() -> None:
    """Where this fails after a training: `ump renderer pack NAME`."""
    folders = [path.parent for path in models_dir().glob("renderers/*/renderer.safetensors")]
    assert folders
    for folder in folders:
        assert RendererPackage.read(folder).manifest.name == folder.name


@pytest.mark.parametrize("name", ["renderer.safetensors", "README.md"])
def test_a_changed_or_missing_file_is_refused(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1] + b"\xff")
    assert refusal(folder) == "hash"
    (folder / name).write_bytes(data + b"x")
    assert refusal(folder) == "hash"
    (folder / name).unlink()
    assert refusal(folder) == "hash"


def test_the_hash_comes_before_the_parser(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from universal_memory.rendering.packages import package

    def never(_: Path) -> None:
        raise AssertionError("parsed before it was hashed")

    monkeypatch.setattr(package, "read_card", never)
    (folder / "renderer.safetensors").write_bytes(b"\xff" * 99)
    assert refusal(folder) == "hash"


def test_a_file_without_a_hash_is_refused(folder: Path) -> None:
    change_manifest(folder, lambda value: value["files"].pop("README.md"))
    assert refusal(folder) == "hash"


def test_without_a_manifest_it_is_no_package(folder: Path) -> None:
    (folder / "manifest.json").write_bytes(b" " * (64 * 1024 + 1))
    assert refusal(folder) == "oversize"
    (folder / "manifest.json").unlink()
    with pytest.raises(PackageError, match=r"no readable manifest\.json.*ump renderer pack"):
        RendererPackage.read(folder)


def test_signatures(tmp_path: Path) -> None:
    signer, stranger = Signer.generate(), Signer.generate()
    folder = save_package(tmp_path / "tiny", signer=signer)
    trusted = {signer.key_id: signer.public_key}
    assert RendererPackage.read(folder, trusted).key_id == signer.key_id
    assert RendererPackage.read(folder).key_id == signer.key_id
    assert refusal(folder, {stranger.key_id: stranger.public_key}) == "signature"
    change_manifest(folder, lambda value: value.update(scores={}))
    assert refusal(folder, trusted) == "signature"
    write_manifest(folder, "tiny", tiny_identity())
    assert RendererPackage.read(folder).key_id == ""  # what was signed before is not this
    assert refusal(folder, trusted) == "signature"
    for bad in ("{", "[]", '{"key_id": 1, "signature": 2}', '{"key_id": "0"}', "x" * 1025):
        (folder / "signature.json").write_text(bad)
        assert refusal(folder) in ("signature", "manifest", "oversize")


def test_a_signature_of_another_key_under_a_trusted_name_is_forged(tmp_path: Path) -> None:
    signer = Signer.generate()
    folder = save_package(tmp_path / "tiny", signer=Signer.generate())
    value = json.loads((folder / "signature.json").read_text())
    (folder / "signature.json").write_text(json.dumps({**value, "key_id": signer.key_id}))
    assert refusal(folder, {signer.key_id: signer.public_key}) == "signature"


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card.clear(),
        lambda card: card.update(config=[]),
        lambda card: card["config"].update(layers=7),
        lambda card: card["config"].update(space_id="other/1"),
        lambda card: card["config"].update(fingerprint="0" * 16),
        lambda card: card["config"].update(layers=[1, 2]),
        lambda card: card["config"].update(d_in=10**9),
        lambda card: card["scores"].update(held_out_1=1.0),
        lambda card: card.update(scores=["good"]),
    ],
)
def test_a_card_that_says_otherwise_is_refused(
    folder: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    change_weights(folder, card=change)
    assert refusal(folder) == "card"


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop("key"),
        lambda tensors: tensors.pop("tokens"),
        lambda tensors: tensors.update(extra=torch.zeros(1)),
        lambda tensors: tensors.update(seat=tensors["seat"].float()),
        lambda tensors: tensors.update(seat=tensors["seat"][:3]),
        lambda tensors: tensors.update(word=torch.zeros((), dtype=torch.float16)),
        lambda tensors: tensors["key"].view(-1)[5:6].fill_(float("nan")),
        lambda tensors: tensors["value"].view(-1)[5:6].fill_(float("inf")),
        lambda tensors: tensors["tokens"].view(-1)[3:4].fill_(96),
        lambda tensors: tensors["tokens"].view(-1)[3:4].fill_(-2),
        lambda tensors: tensors.update(tokens=tensors["tokens"][:, :0]),
        lambda tensors: tensors.update(tokens=tensors["tokens"].half()),
    ],
)
def test_tensors_that_cannot_be_are_refused(
    folder: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    change_weights(folder, change)
    assert refusal(folder) == "tensors"


@pytest.mark.parametrize(
    "change",
    [{"hidden": 10**12}, {"hidden": "many"}, {"hidden": -1}, {"manner_rank": 10**9},
     {"gate_temperature": 0}, {"gate_half": "x"}],
)  # fmt: skip
def test_enormous_claims_reserve_nothing(folder: Path, change: dict[str, Any]) -> None:
    change_weights(folder, card=lambda card: card["config"].update(change))
    assert refusal(folder) == "tensors"


def test_weights_that_are_no_safetensors(folder: Path) -> None:
    import pickle
    from dataclasses import asdict

    from universal_memory.rendering.packages.package import file_entry

    path = folder / "renderer.safetensors"
    path.write_bytes(pickle.dumps({"key": 1}))
    entry = asdict(file_entry(path))
    change_manifest(folder, lambda value: value["files"].update({path.name: entry}))
    assert refusal(folder) == "card"


def test_a_manifest_of_another_model_is_not_written(tmp_path: Path) -> None:
    from tiny_models import tiny_model
    from tiny_packages import TOKENIZER

    from universal_memory.rendering.architecture import inspect_architecture
    from universal_memory.rendering.packages.model_identity import ModelIdentity

    folder = save_renderer_folder(tmp_path / "tiny")
    model = tiny_model("gpt2")
    other = ModelIdentity.of(model, inspect_architecture(model), TOKENIZER)
    with pytest.raises(PackageError, match=r"fingerprint is .* with the model it was trained on"):
        write_manifest(folder, "tiny", other)
    assert not (folder / "manifest.json").exists()
