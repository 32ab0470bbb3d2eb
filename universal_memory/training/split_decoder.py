"""A frozen decoder cut below the first adapted block.

Blocks below the first adapted one do not depend on the memory, so they run without gradients, and
their output can be cached; only the upper blocks take part in training (design §6).
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from universal_memory.runtime.language_model import LanguageModel


class SplitDecoder:
    """The blocks [0, first) and [first, end) of a language model's decoder, sharing its weights.

    Sequences are padded on the right; with a causal mask no real token sees the padding.
    """

    def __init__(self, language_model: LanguageModel, first: int) -> None:
        model = language_model.model
        self.model = model
        path = language_model.architecture.blocks
        parent, _, name = path.rpartition(".")
        decoder = model.get_submodule(parent)
        blocks: Any = model.get_submodule(path)
        self.final_norm: Any = nn.Identity()
        self.lower = _slice(decoder, name, blocks, 0, first)
        for final in ("norm", "ln_f", "final_layer_norm"):
            if final in self.lower._modules:
                self.final_norm = self.lower._modules[final]
                self.lower._modules[final] = nn.Identity()
        self.upper = _slice(decoder, name, blocks, first, len(blocks))
        if "wpe" in self.upper._modules:  # GPT-2 would add its positions a second time
            self.upper._modules["wpe"] = _NoPositions()
        self.head = model.get_output_embeddings()

    @torch.no_grad()
    def below(self, ids: Tensor) -> Tensor:
        """Hidden states under the first adapted block: [batch, time, width] of [batch, time]."""
        return self.lower(input_ids=ids, use_cache=False).last_hidden_state

    def above(self, hidden: Tensor) -> Tensor:
        """Final hidden states from those of `below`; adapters attached to the model take part."""
        return self.upper(inputs_embeds=hidden, use_cache=False).last_hidden_state

    @torch.no_grad()
    def observe(self, ids: Tensor, mask: Tensor, targets: list[nn.Module]) -> tuple[Tensor, Tensor]:
        """Inputs and outputs of `targets`, [targets, samples, width], where `mask` is true."""
        seen: list[tuple[Tensor, Tensor]] = []
        handles = [
            target.register_forward_hook(lambda _m, given, out: seen.append((given[0], out)))
            for target in targets
        ]
        try:
            self.above(self.below(ids))
        finally:
            for handle in handles:
                handle.remove()
        inputs = torch.stack([given[mask].float() for given, _ in seen])
        return inputs, torch.stack([out[mask].float() for _, out in seen])


class _NoPositions(nn.Module):
    """Position embeddings of a part whose input has them already."""

    def forward(self, positions: Tensor) -> Tensor:
        return torch.zeros((), device=positions.device)


def _slice(decoder: Any, name: str, blocks: Any, start: int, end: int) -> Any:
    """A shallow copy of `decoder` with some of its blocks; modules and weights are shared."""
    part = copy.copy(decoder)
    part._modules = dict(decoder._modules)
    part._modules[name] = nn.ModuleList(blocks[start:end])
    part.config = copy.deepcopy(decoder.config)
    part.config.num_hidden_layers = end - start
    if getattr(part.config, "layer_types", None):
        part.config.layer_types = part.config.layer_types[start:end]
    return part
