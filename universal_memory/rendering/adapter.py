"""Adapters: rendered low-rank weights, put on a model and taken off again.

An adapter is added in a forward hook as values·(keys·x), never merged into a weight, so the base
model after `detach` is the base model before `attach`, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from types import TracebackType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from universal_memory.rendering.architecture import ArchitectureMap

Change = TypeVar("Change", bound="LowRank")


@dataclass(frozen=True)
class LowRank:
    """Low-rank maps, one for each of some blocks: x to valuesᵀ·keys·x.

    `layers`: block numbers. keys: [layers, rank, inputs], values: [layers, rank, outputs], float32
    (or bfloat16 in training), all scaling already in the values. `gates`: None, or float32
    [batch, rank]: how much of each rank sample b of the model's batch gets, so that a batch of
    questions can be asked with another choice of memories each.
    """

    layers: tuple[int, ...]
    keys: Tensor
    values: Tensor
    gates: Tensor | None = None

    @property
    def rank(self) -> int:
        """Rank of the change in every layer."""
        return int(self.keys.shape[-2])

    @property
    def sizes(self) -> tuple[int, int]:
        """Sizes of an input and of an output."""
        return int(self.keys.shape[-1]), int(self.values.shape[-1])

    @property
    def nbytes(self) -> int:
        """Size of keys and values [bytes]."""
        return int(self.keys.nbytes + self.values.nbytes)

    def gated(self: Change, gates: Tensor) -> Change:
        """The same with `gates`, [batch, rank]."""
        if gates.shape[-1] != self.rank:
            raise ValueError(f"gates for rank {gates.shape[-1]}, the adapter has {self.rank}")
        return replace(self, gates=gates)

    def change(self, at: int, x: Tensor) -> Tensor:
        """What the `at`-th layer makes of x [batch, time, inputs]: [batch, time, outputs].

        A decoder may have flattened batch and time into one dimension (OPT does).
        """
        keys, values = self._by_layer[at]
        fired = torch.matmul(x.to(keys.dtype), keys.T)
        if self.gates is not None:
            gates = self.gates.to(fired).unsqueeze(1)
            fired = (fired.view(len(gates), -1, self.rank) * gates).view(fired.shape)
        return torch.matmul(fired, values).to(x.dtype)

    @cached_property
    def _by_layer(self) -> list[tuple[Tensor, Tensor]]:
        """Keys and values of each layer, taken apart at once.

        The gradient of one layer taken from the whole by its number is as large as the whole.
        """
        return list(zip(self.keys.unbind(), self.values.unbind(), strict=True))


@dataclass(frozen=True)
class Adapter(LowRank):
    """A low-rank change of one linear map in some blocks: ΔW[layer] = valuesᵀ[layer]·keys[layer].

    `attention`: None, or what is added to the input of attention in some blocks, a map of the
    hidden states onto themselves: a LoRA of queries, keys and values at once. The manner of
    answering has one, memories have none.
    """

    attention: LowRank | None = None

    def delta(self, layer: int) -> Tensor:
        """The dense change of the map of block `layer`, gates left out: [d_out, d_in]."""
        at = self.layers.index(layer)
        return self.values[at].T @ self.keys[at]


class Attachment:
    """An adapter on a model. A context manager; `detach` may be called any number of times."""

    def __init__(self, model: nn.Module, architecture: ArchitectureMap, adapter: Adapter) -> None:
        wanted = (architecture.d_in, architecture.d_out)
        given = adapter.sizes
        if given != wanted:
            raise ValueError(
                f"adapter is for a map of {given[0]} -> {given[1]}, the model's"
                f" {architecture.target} is {wanted[0]} -> {wanted[1]};"
                " use the renderer of this model"
            )
        if max(adapter.layers) >= architecture.layers:
            raise ValueError(
                f"adapter changes layer {max(adapter.layers)},"
                f" the model has {architecture.layers}; use the renderer of this model"
            )
        self._handles = [
            architecture.target_of(model, layer).register_forward_hook(_hook(adapter, at))
            for at, layer in enumerate(adapter.layers)
        ]
        if adapter.attention is not None:
            self._handles += [
                architecture.attention_of(model, layer).register_forward_pre_hook(
                    _hook_before(adapter.attention, at), with_kwargs=True
                )
                for at, layer in enumerate(adapter.attention.layers)
            ]

    def detach(self) -> None:
        """Take the adapter off; the model is what it was before."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def __enter__(self) -> Attachment:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self.detach()


def attach(model: nn.Module, architecture: ArchitectureMap, adapter: Adapter) -> Attachment:
    """Put `adapter` on `model` until the returned attachment is detached.

    Raises ValueError if the adapter's sizes or layers are not the model's.
    """
    return Attachment(model, architecture, adapter)


def _hook(adapter: LowRank, at: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
    def add_change(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + adapter.change(at, inputs[0]).to(output.dtype)

    return add_change


def _hook_before(
    change: LowRank, at: int
) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], tuple[tuple[Any, ...], dict[str, Any]]]:
    def add_change(
        _module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if inputs:
            return (inputs[0] + change.change(at, inputs[0]), *inputs[1:]), named
        states = named["hidden_states"]
        return inputs, {**named, "hidden_states": states + change.change(at, states)}

    return add_change
