"""Resumable training state on disk, and the trained weights as half-precision safetensors."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state so that a cut leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".partial")
    torch.save(state, scratch)
    os.replace(scratch, path)


def load_state(path: Path) -> dict[str, Any] | None:
    """The state written by `save_state`, or None if there is none. Never unpickles code."""
    return torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else None


def save_weights(path: Path, module: nn.Module, metadata: dict[str, Any]) -> None:
    """Weights of `module` in float16, with `metadata` as one JSON string."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {name: value.half().contiguous() for name, value in module.state_dict().items()}
    scratch = path.with_suffix(".partial")
    save_file(tensors, str(scratch), metadata={"card": json.dumps(metadata, sort_keys=True)})
    os.replace(scratch, path)


def load_weights(path: Path, module: nn.Module) -> None:
    """Load what `save_weights` wrote, in the module's own precision."""
    module.load_state_dict({name: value.float() for name, value in load_file(str(path)).items()})
