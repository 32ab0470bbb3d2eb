"""Resumable training state on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch


class CheckpointError(ValueError):
    """The checkpoint is not of the training that would go on; the message has the remedy."""


def save_state(path: Path, state: dict[str, Any]) -> None:
    """Write a training state so that a cut leaves the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".partial")
    torch.save(state, scratch)
    scratch.replace(path)


def load_state(path: Path) -> dict[str, Any] | None:
    """The state written by `save_state`, or None if there is none. Never unpickles code."""
    return torch.load(path, map_location="cpu", weights_only=True) if path.is_file() else None
