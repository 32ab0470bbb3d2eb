"""The space of the repository is what it says, and a changed one is found out."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from universal_memory.resources import models_dir
from universal_memory.routing.passport import PassportEncoder
from universal_memory.space.golden import NAME, GoldenVectors, PassportsOf
from universal_memory.space.semantic_space import SemanticSpace, id_suffix
from universal_memory.space.space_check import TOLERANCE, check_space_folder, load_space
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import read_card, save_weights


@pytest.fixture(scope="module")
def space(tower: TextTower) -> SemanticSpace:
    return load_space(models_dir() / "space", tower)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(models_dir() / "space", tmp_path / "space"))


def passports_over(space: SemanticSpace) -> PassportsOf:
    return PassportEncoder.load(space).passports


def states(folder: Path, tower: TextTower) -> dict[str, str]:
    return {check.name: check.state for check in check_space_folder(folder, passports_over, tower)}


GOOD = dict.fromkeys(("weights", "space_id", "slot_norm", "golden", "passports", "reading"), "ok")


def test_the_space_of_the_repository_conforms(tower: TextTower) -> None:
    """Golden vectors are of another space? `ump conformance space --write-golden`."""
    assert states(models_dir() / "space", tower) == GOOD


def test_the_digest_is_that_of_the_protocol(space: SemanticSpace) -> None:
    named = {}
    for prefix, name in (("0.", "encoder"), ("1.", "reader")):
        path = models_dir() / "space" / f"{name}.safetensors"
        with safe_open(str(path), framework="numpy") as stream:
            named |= {prefix + each: stream.get_tensor(each) for each in stream.keys()}  # noqa: SIM118
    found = hashlib.sha256()
    for name in sorted(named, key=str.encode):
        found.update(name.encode() + named[name].tobytes())
    assert found.hexdigest()[:8] == id_suffix(space.encoder, space.reader) == space.space_id[-8:]


def test_weights_under_an_old_id_are_found_out(
    folder: Path, space: SemanticSpace, tower: TextTower
) -> None:
    changed = load_space(folder, tower)
    changed.encoder.latents.data[0, :9] += 3.0  # LayerNorm would undo one for all
    save_weights(folder / "encoder.safetensors", changed.encoder, read_card_of(folder))
    found = states(folder, tower)
    assert (found["space_id"], found["golden"]) == ("failed", "failed")
    assert found["slot_norm"] == "ok"


def read_card_of(folder: Path) -> dict[str, object]:
    return read_card(folder / "encoder.safetensors")


def test_golden_vectors_have_a_tolerance(folder: Path, tower: TextTower) -> None:
    golden = GoldenVectors.load(folder / NAME)
    for difference, state in ((0.5 * TOLERANCE, "ok"), (2 * TOLERANCE, "failed")):
        usv = golden.usv.copy()
        usv[1, 2, 3] += np.float32(difference)
        replace(golden, usv=usv).save(folder / NAME)
        assert states(folder, tower)["golden"] == state
    replace(golden, space_id="other/1").save(folder / NAME)
    assert states(folder, tower)["golden"] == "failed"
    turned = np.roll(golden.passport, 1, axis=1)
    for passport in (turned, golden.passport[:, :9]):
        replace(golden, passport=passport).save(folder / NAME)
        found = states(folder, tower)
        assert (found["golden"], found["passports"]) == ("ok", "failed")


def test_a_reader_that_misreads_is_found_out(folder: Path, tower: TextTower) -> None:
    changed = load_space(folder, tower)
    changed.reader.seats.data[0].neg_()
    save_weights(folder / "reader.safetensors", changed.reader, read_card_of(folder))
    assert states(folder, tower)["reading"] == "failed"


def test_what_cannot_be_loaded_ends_the_checks(folder: Path, tower: TextTower) -> None:
    (folder / NAME).unlink()
    assert states(folder, tower)["golden"] == "failed"
    (folder / "reader.safetensors").write_bytes(b"x")
    assert states(folder, tower) == {"weights": "failed"}
    assert states(folder / "nowhere", tower) == {"weights": "failed"}
