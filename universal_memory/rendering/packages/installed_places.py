"""The places of a model whose renderer is installed, as the renderer's package states them.

So a YAML file of an architecture (`rendering.places`) is needed once, for the training.
"""

from __future__ import annotations

from universal_memory.rendering.packages.archive import MANIFEST
from universal_memory.rendering.packages.manifest import Manifest, PackageError
from universal_memory.rendering.places import Places
from universal_memory.rendering.renderer import renderer_weights
from universal_memory.resources import models_dir


def installed_places(model: str, model_type: str) -> Places | None:
    """What the renderer of `model`, a name or a folder, was trained to write to.

    None if no such renderer with a manifest is installed, or if it is for another type of model.
    """
    try:
        path = (models_dir() / renderer_weights(model)).with_name(MANIFEST)
        stated = Manifest.from_bytes(path.read_bytes()).base_model.architecture
    except (OSError, PackageError):
        return None
    return stated.places if stated.model_type == model_type else None
