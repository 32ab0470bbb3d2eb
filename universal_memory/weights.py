"""Trained weights on disk: half-precision safetensors with their card in the metadata."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

# Held while transformers builds a model: it patches torch.nn.init for as long, for all threads, and
# of two at once the later one would leave its patches in place for good: every model loaded after
# would be without weights.
BUILDING = threading.Lock()


class WeightsError(ValueError):
    """A weights file that cannot be used; the message has the remedy."""


def save_weights(path: Path, module: nn.Module, card: dict[str, Any]) -> None:
    """Write the weights of `module` in float16, with `card` (JSON) beside them, atomically.

    Integers are kept, in 32 bits.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _save(path, {name: _small(value) for name, value in module.state_dict().items()}, card)


def rewrite_card(path: Path, card: dict[str, Any]) -> None:
    """Another card for the weights in a file, which stay as they are."""
    _save(path, load_file(str(path)), card)


def _save(path: Path, tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
    scratch = path.with_suffix(".partial")
    save_file(tensors, str(scratch), metadata={"card": json.dumps(card, sort_keys=True)})
    scratch.replace(path)


def digest(module: nn.Module) -> str:
    """SHA-256, hexadecimal, of the weights of `module` as `save_weights` writes them."""
    found = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        found.update(name.encode())
        found.update(_small(value).cpu().numpy().tobytes())
    return found.hexdigest()


def _small(value: Tensor) -> Tensor:
    return (value.half() if value.is_floating_point() else value.int()).contiguous()


def load_weights(path: Path, module: nn.Module, space_id: str | None = None) -> None:
    """Load what `save_weights` wrote, in float32.

    `space_id`: the space that the weights must have been trained over, by their card; None: any.
    Raises FileNotFoundError if they are missing, WeightsError if they are damaged, of another
    module or of another space.
    """
    _require(path)
    if space_id is not None and (other := read_card(path).get("space_id")) != space_id:
        raise WeightsError(
            f"weights {path} were trained over space {other}, the space here is {space_id};"
            " remedy: restore models/ from the repository, or run `ump train router`"
        )
    try:
        module.load_state_dict(load_file(str(path)))  # copies into the module's own types
    except (SafetensorError, RuntimeError) as error:
        raise WeightsError(
            f"weights {path} do not fit {type(module).__name__}: {error};"
            " remedy: restore models/ from the repository, or train again"
        ) from error


def read_card(path: Path) -> dict[str, Any]:
    """The card in a weights file."""
    _require(path)
    try:
        with safe_open(str(path), framework="pt") as stream:
            card: dict[str, Any] = json.loads(stream.metadata()["card"])
            return card
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path} has no readable card: {error}; remedy: restore models/ from the repository"
        ) from error


def _require(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(
            f"no trained weights {path}; remedy: restore models/ from the repository,"
            " or train them with `ump train`"
        )
