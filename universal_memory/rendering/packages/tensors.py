"""The tensors of a renderer package: those that its card calls for, and nothing that cannot be.

A renderer is built without memory first (PyTorch's device "meta"), so that a card that claims
enormous widths is refused before anything of that size is reserved.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from universal_memory.rendering.packages.manifest import Manifest, PackageError
from universal_memory.rendering.piece_tokens import NONE
from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.weights import read_card

TOKENS = "tokens"


def check_tensors(weights: Path, manifest: Manifest) -> None:
    """Names, shapes, types, finite numbers, tokens of the vocabulary. Raises PackageError."""
    try:
        with safe_open(str(weights), framework="pt") as stream:
            slices = {name: stream.get_slice(name) for name in stream.keys()}  # noqa: SIM118
            shapes = {name: tuple(found.get_shape()) for name, found in slices.items()}
            _check_shapes(RendererConfig.from_card(read_card(weights)), shapes)
            for name, found in slices.items():
                dtype = "I32" if name == TOKENS else "F16"
                if found.get_dtype() != dtype:
                    raise _wrong(f"{name} is {found.get_dtype()}; must be {dtype}")
                tensor = stream.get_tensor(name)
                if not bool(torch.isfinite(tensor).all()):
                    raise _wrong(f"{name} holds NaN or infinity")
                if name == TOKENS and not _speakable(tensor, manifest.base_model.vocabulary):
                    raise _wrong(f"tokens beyond the vocabulary {manifest.base_model.vocabulary}")
    except SafetensorError as error:
        raise _wrong(f"{weights.name} is no whole safetensors container: {error}") from error


def _check_shapes(config: RendererConfig, shapes: dict[str, tuple[int, ...]]) -> None:
    """The tensors are those of a renderer of this configuration."""
    try:
        _check_gates(config)
        reader: Any = SimpleNamespace(codes=range(shapes[TOKENS][1]))
        widths = {"width": shapes["token"][0], "output_width": shapes["word"][0]}
        embeddings: Any = SimpleNamespace(**widths)
        with torch.device("meta"):
            wanted = Renderer(config, reader, embeddings).state_dict()
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise _wrong(f"the card calls for no possible renderer: {error!r}") from error
    for name in sorted({*wanted, *shapes}):
        needed = tuple(wanted[name].shape) if name in wanted else None
        if shapes.get(name) != needed:
            raise _wrong(f"{name} has shape {shapes.get(name)}, the card calls for {needed}")


def _check_gates(config: RendererConfig) -> None:
    numbers = (config.gate_half, config.gate_temperature, config.gate_drop_below)
    if not all(type(one) in (int, float) and abs(one) < 1e6 for one in numbers):
        raise ValueError(f"gates {numbers} are no finite numbers")
    if config.gate_temperature <= 0:
        raise ValueError(f"gate_temperature {config.gate_temperature} is not positive")


def _speakable(tokens: torch.Tensor, vocabulary: int) -> bool:
    return tokens.numel() > 0 and bool(((tokens >= NONE) & (tokens < vocabulary)).all())


def _wrong(message: str) -> PackageError:
    return PackageError("tensors", f"{message}; remedy: fetch the package again, or train again")
