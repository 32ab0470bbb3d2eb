"""Renderer packages of a tiny random Llama, good ones and such as nobody should install."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tiny_models import VOCABULARY, tiny_model
from torch import Tensor

from universal_memory.memory.signing import Signer
from universal_memory.rendering.architecture import inspect_architecture
from universal_memory.rendering.packages.archive import MANIFEST
from universal_memory.rendering.packages.model_identity import ModelIdentity
from universal_memory.rendering.packages.package import write_manifest
from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.space.slot_reader import SlotReader
from universal_memory.weights import save_weights

SPACE = "test-space/1"
SCORES = {"held_out_1": 0.5, "held_out_shuffled": 0.0}
TOKENIZER = SimpleNamespace(get_vocab=lambda: {f"token{i}": i for i in range(VOCABULARY)})


def tiny_identity(seed: int = 0) -> ModelIdentity:
    """Of the tiny Llama with made-up tokens."""
    model = tiny_model("llama", seed)
    return ModelIdentity.of(model, inspect_architecture(model), TOKENIZER)


def save_renderer_folder(folder: Path, space_id: str = SPACE, pieces: int = 10) -> Path:
    """A folder with the weights of a small random renderer of the tiny Llama, and a README."""
    torch.manual_seed(0)
    model = tiny_model("llama")
    config = RendererConfig.for_architecture(inspect_architecture(model), space_id)
    reader = SlotReader(torch.randn(pieces, 44))
    tokens = torch.randint(-1, VOCABULARY, (6, pieces, 4))
    renderer = Renderer(config, reader, TokenEmbeddings(model), tokens)
    save_weights(
        folder / "renderer.safetensors", renderer, {"config": asdict(config), "scores": SCORES}
    )
    (folder / "README.md").write_text("# A tiny renderer\n")
    return folder


def save_package(
    folder: Path, space_id: str = SPACE, signer: Signer | None = None, name: str = "tiny"
) -> Path:
    """A whole package in `folder`."""
    save_renderer_folder(folder, space_id)
    write_manifest(folder, name, tiny_identity(), signer)
    return folder


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest in place; its hashes stay as they were."""
    value = json.loads((folder / MANIFEST).read_text())
    change(value)
    (folder / MANIFEST).write_text(json.dumps(value))


def change_weights(
    folder: Path,
    tensors: Callable[[dict[str, Tensor]], object] = lambda tensors: None,
    card: Callable[[dict[str, Any]], object] = lambda card: None,
) -> None:
    """Change tensors or card in place, and the hash in the manifest with them."""
    from universal_memory.rendering.packages.package import file_entry

    path = folder / "renderer.safetensors"
    with safe_open(str(path), framework="pt") as stream:
        held = {name: stream.get_tensor(name).clone() for name in stream.keys()}  # noqa: SIM118
        told = json.loads(stream.metadata()["card"])
    tensors(held)
    card(told)
    save_file(held, str(path), metadata={"card": json.dumps(told)})
    entry = asdict(file_entry(path))
    change_manifest(folder, lambda value: value["files"].update({path.name: entry}))


def tar_of(path: Path, *members: tuple[str, bytes, bytes]) -> Path:
    """An archive of members (name, type, data), however bad."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for member, kind, data in members:
            info = tarfile.TarInfo(member)
            info.type, info.linkname = kind, "/etc/passwd" if kind in b"12" else ""
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path
