"""The renderer: a hypernetwork, one per architecture, from a USV to an adapter.

Each slot is one rank: the slot gives, for every adapted layer, a key (when to fire, in the space of
the down projection's input) and a value (what to add to the residual stream), as in the reading of
MLPs as key-value memories (Geva et al. 2021). A small LoRA shared by all memories carries the
manner of answering and belongs to the renderer, not to a memory.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.rendering.adapter import Adapter
from universal_memory.rendering.architecture import ArchitectureMap
from universal_memory.resources import models_dir
from universal_memory.space.encoder import SLOT_WIDTH
from universal_memory.weights import load_weights, read_card


def renderer_weights(model: str) -> Path:
    """Where in a models folder the renderer of a language model, a name or a folder, lies."""
    return Path("renderers") / Path(model).name / "renderer.safetensors"


class RendererNotFoundError(FileNotFoundError):
    """No trained renderer fits the model and the space."""


@dataclass(frozen=True)
class RendererConfig:
    """What a renderer writes to.

    `layers`: adapted block numbers. `d_in`, `d_out`: sizes of the adapted map. `manner_rank`: rank
    of the shared LoRA. `fingerprint`: of the architecture map. `space_id`: the space it reads.
    """

    layers: tuple[int, ...]
    d_in: int
    d_out: int
    fingerprint: str
    space_id: str
    manner_rank: int = 8
    hidden: int = 2048

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> RendererConfig:
        """The configuration in a renderer's card."""
        values = {field.name: card["config"][field.name] for field in fields(cls)}
        return cls(**{**values, "layers": tuple(values["layers"])})

    @classmethod
    def for_architecture(
        cls, architecture: ArchitectureMap, space_id: str, first_layer: int | None = None
    ) -> RendererConfig:
        """The upper two fifths of the blocks, or all from `first_layer` on."""
        first = round(architecture.layers * 0.6) if first_layer is None else first_layer
        return cls(
            layers=tuple(range(first, architecture.layers)),
            d_in=architecture.d_in,
            d_out=architecture.d_out,
            fingerprint=architecture.fingerprint,
            space_id=space_id,
        )


class Renderer(nn.Module):
    """USVs to adapters of rank 16 a memory, and the shared manner adapter."""

    def __init__(self, config: RendererConfig) -> None:
        super().__init__()
        self.config = config
        self.key_scale: Tensor
        self.value_scale: Tensor
        count = len(config.layers)
        self.trunk = nn.Sequential(
            nn.Linear(SLOT_WIDTH, config.hidden), nn.GELU(), nn.Linear(config.hidden, SLOT_WIDTH)
        )
        self.key = nn.Parameter(torch.randn(count, SLOT_WIDTH, config.d_in) / SLOT_WIDTH**0.5)
        self.value = nn.Parameter(torch.randn(count, SLOT_WIDTH, config.d_out) * 2e-3)
        # Two maps from slots to the model's tokens, shared by all layers: what is learned about a
        # word in one layer serves the others, and a closed-form start survives training. `words`
        # is for tokens that begin a word, `endings` for those that go on with it.
        self.words = nn.Parameter(torch.randn(SLOT_WIDTH, config.d_out) / SLOT_WIDTH**0.5)
        self.words_gain = nn.Parameter(torch.zeros(count, 1, 1))
        self.endings = nn.Parameter(torch.randn(SLOT_WIDTH, config.d_out) / SLOT_WIDTH**0.5)
        self.endings_gain = nn.Parameter(torch.zeros(count, 1, 1))
        rank = config.manner_rank
        self.manner_key = nn.Parameter(torch.randn(count, rank, config.d_in))
        self.manner_value = nn.Parameter(torch.zeros(count, rank, config.d_out))
        # Set by `calibrate`: inputs of a down projection differ a thousandfold between dimensions.
        self.register_buffer("key_scale", torch.ones(count, 1, config.d_in))
        self.register_buffer("value_scale", torch.ones(count, 1, 1))

    @classmethod
    def load(
        cls, architecture: ArchitectureMap, space_id: str, folder: Path | None = None
    ) -> Renderer:
        """The trained renderer of `architecture` that reads the space `space_id`.

        Raises RendererNotFoundError, naming the renderers there are, if there is none.
        """
        root = (folder or models_dir()) / "renderers"
        found = []
        for path in sorted(root.glob("*/renderer.safetensors")):
            config = RendererConfig.from_card(read_card(path))
            found.append(f"{path.parent.name} (space {config.space_id})")
            if (config.fingerprint, config.space_id) == (architecture.fingerprint, space_id):
                renderer = cls(config)
                load_weights(path, renderer)
                return renderer.eval().requires_grad_(False)
        raise RendererNotFoundError(
            f"no renderer for this {architecture.model_type} model ({architecture.layers} layers,"
            f" {architecture.d_in} -> {architecture.d_out}) and space {space_id};"
            f" there are: {', '.join(found) or 'none'};"
            " remedy: `ump train renderer --model ...`"
        )

    def forward(self, usv: Tensor) -> Adapter:
        """One adapter of all memories [memories, 16, 256]; rank 16·m + s is slot s of memory m."""
        slots = self._slots(usv).flatten(0, 1)
        values = torch.matmul(slots, self.value)
        values = values + self.words_gain * torch.matmul(slots, self.words)
        values = values + self.endings_gain * torch.matmul(slots, self.endings)
        return self._scaled(torch.matmul(slots, self.key), values)

    def say(self, usv: Tensor) -> tuple[Tensor, Tensor]:
        """What each slot would write with the shared maps alone: [memories, 16, d_out] each.

        Of tokens that begin a word, and of those that go on with it.
        """
        slots = self._slots(usv)
        return torch.matmul(slots, self.words), torch.matmul(slots, self.endings)

    def _slots(self, usv: Tensor) -> Tensor:
        return F.layer_norm(usv + self.trunk(usv), (SLOT_WIDTH,))

    def manner(self) -> Adapter:
        """The shared LoRA: the manner of answering, no memory in it."""
        return self._scaled(self.manner_key, self.manner_value)

    def _scaled(self, keys: Tensor, values: Tensor) -> Adapter:
        scale = self.value_scale * self.config.d_in**-0.5
        return Adapter(self.config.layers, keys * self.key_scale, values * scale)

    @torch.no_grad()
    def calibrate(self, inputs: Tensor, outputs: Tensor) -> None:
        """Fit the scales to the adapted maps' inputs and outputs: [layers, samples, d_in or d_out].

        Keys then see inputs of unit size in every dimension, and a value of size one is a tenth of
        what the map itself writes in its median dimension.
        """
        peak = inputs.square().mean(1, keepdim=True).sqrt()
        self.key_scale.copy_(1.0 / peak.clamp(min=0.1 * float(peak.median())))
        typical = outputs.square().mean(1, keepdim=True).sqrt()
        self.value_scale.copy_(0.1 * typical.median(2, keepdim=True).values)

    @torch.no_grad()
    def render(self, usv: Tensor) -> Adapter:
        """The adapter of one memory, float32 [16, 256], of rank 16, without the manner."""
        return self(usv.unsqueeze(0))
