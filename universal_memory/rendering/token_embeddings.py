"""The token embeddings of a language model, as a renderer uses them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class TokenEmbeddings:
    """Input and output embeddings of a model, centred and of unit size a dimension.

    Nothing is copied but the means: the rows of the few tokens that are asked for are read from the
    model. Token -1 is none, and has the embedding zero.
    """

    def __init__(self, model: Any) -> None:
        self._inputs: Tensor = model.get_input_embeddings().weight
        self._outputs: Tensor = model.get_output_embeddings().weight
        self._centres = {}
        for kind, weight in (("inputs", self._inputs), ("outputs", self._outputs)):
            rows = weight.detach().float()
            self._centres[kind] = rows.mean(0), rows.std()

    @property
    def width(self) -> int:
        """Size of an embedding."""
        return int(self._outputs.shape[1])

    def inputs(self, tokens: Tensor) -> Tensor:
        """Input embeddings: float32 [..., width] of tokens int64 [...]."""
        return self._rows("inputs", self._inputs, tokens)

    def outputs(self, tokens: Tensor) -> Tensor:
        """Output embeddings: float32 [..., width] of tokens int64 [...]."""
        return self._rows("outputs", self._outputs, tokens)

    @torch.no_grad()
    def _rows(self, kind: str, weight: Tensor, tokens: Tensor) -> Tensor:
        mean, size = self._centres[kind]
        rows = (weight[tokens.clamp(min=0)].float() - mean) / size
        return rows.masked_fill((tokens < 0).unsqueeze(-1), 0.0)
