"""The token embeddings of a language model, as a renderer uses them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from universal_memory.rendering.architecture import UnknownArchitectureError


class TokenEmbeddings:
    """Input and output embeddings of a model, centred and of unit size a dimension.

    Nothing is copied but the means: the rows of the few tokens that are asked for are read from the
    model. Token -1 is none, and has the embedding zero. Where embeddings are narrower than hidden
    states (OPT-350m), an output embedding is the change of the hidden state that says its token.
    """

    def __init__(self, model: Any) -> None:
        self._inputs: Tensor = model.get_input_embeddings().weight
        self._outputs: Tensor = model.get_output_embeddings().weight
        self._back = _states_to_outputs(model, self._outputs)
        self._centres = {}
        for kind, weight in (("inputs", self._inputs), ("outputs", self._outputs)):
            rows = weight.detach().float()
            self._centres[kind] = rows.mean(0), rows.std()

    @property
    def width(self) -> int:
        """Size of an input embedding."""
        return int(self._inputs.shape[1])

    @property
    def output_width(self) -> int:
        """Size of an output embedding, that of the hidden states."""
        return int((self._outputs if self._back is None else self._back).shape[1])

    def inputs(self, tokens: Tensor) -> Tensor:
        """Input embeddings: float32 [..., width] of tokens int64 [...]."""
        return self._rows("inputs", self._inputs, tokens)

    def outputs(self, tokens: Tensor) -> Tensor:
        """Output embeddings: float32 [..., output_width] of tokens int64 [...]."""
        rows = self._rows("outputs", self._outputs, tokens)
        return rows if self._back is None else rows @ self._back

    @torch.no_grad()
    def _rows(self, kind: str, weight: Tensor, tokens: Tensor) -> Tensor:
        mean, size = self._centres[kind]
        rows = (weight[tokens.clamp(min=0)].float() - mean) / size
        return rows.masked_fill((tokens < 0).unsqueeze(-1), 0.0)


def _states_to_outputs(model: Any, outputs: Tensor) -> Tensor | None:
    """The linear map from hidden states to narrower output embeddings, of unit size: float32
    [embedding, hidden]; None where both are as wide.
    """
    width = outputs.shape[1]
    hidden = getattr(getattr(model, "config", None), "hidden_size", width)
    if hidden == width:
        return None
    shape = (width, hidden)
    found = [one for one in model.parameters() if tuple(one.shape) == shape and one.dim() == 2]
    if len(found) != 1:
        raise UnknownArchitectureError(
            f"{type(model).__name__} has output embeddings of {width} numbers, hidden states of"
            f" {hidden}, and {len(found)} maps from these to those: no token can be said;"
            " remedy: none here, take another model"
        )
    back = found[0].detach().float()
    return back * (hidden**0.5 / back.norm())
