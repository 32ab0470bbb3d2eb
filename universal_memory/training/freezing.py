"""Freezing a space: it gets its final name, everywhere, and its golden vectors."""

from __future__ import annotations

import json
from pathlib import Path

from universal_memory.memory.durable import write_atomic
from universal_memory.memory.format import check_space_id
from universal_memory.rendering.packages.manifest import README, Manifest
from universal_memory.rendering.packages.package import MANIFEST, write_manifest
from universal_memory.routing.passport import PassportEncoder
from universal_memory.space.golden import NAME, GoldenVectors
from universal_memory.space.semantic_space import SemanticSpace, id_suffix
from universal_memory.weights import WeightsError, read_card, rewrite_card


def freeze_space(models: Path, version: str) -> str:
    """Name the space of a models folder: `version`, and what of its digest an id ends with.

    It is renamed in the cards of space, passports, router and renderers alike, so that they go on
    belonging together; signatures of renderer packages go, and have to be made again. Returns the
    id. Raises FileNotFoundError, WeightsError or MemoryFileError (a name that is no id) with the
    remedy, before anything is changed.
    """
    space = SemanticSpace.load(models)
    passports = PassportEncoder.load(space, models)
    old, new = space.space_id, f"{version}-{id_suffix(space.encoder, space.reader)}"
    check_space_id(new, None)
    for path in sorted(models.rglob("*.safetensors")):
        try:
            told = json.dumps(read_card(path))
        except WeightsError:
            continue  # golden vectors, the visual codebook
        if old in told:
            rewrite_card(path, json.loads(told.replace(old, new)))
    for path in sorted(models.rglob(README)):
        text = path.read_text(encoding="utf-8")
        write_atomic(path, text.replace(old, new).encode())
    for path in sorted(models.rglob(MANIFEST)):
        manifest = Manifest.from_bytes(path.read_bytes())
        write_manifest(path.parent, manifest.name, manifest.base_model)
    space.space_id = new
    GoldenVectors.of(space, passports.passports).save(models / "space" / NAME)
    return new
