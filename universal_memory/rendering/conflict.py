"""Conflict: how far the adapters of a fusion stand in each other's way.

Two figures an adapter, both 0 to 1, and 0 where no other adapter is on:

- `cosine`: the highest absolute cosine between its change and another's, both flattened over all
  layers. It tells likeness, not damage: two files that say the same have 1.
- `conflict`: at the inputs that fire its own keys, the share of the others in what is written.
  0: it speaks alone; 0.5: the others are as loud as it is; near 1: it is drowned out. That is
  damage, unless the others say the same.

Nothing dense is made. A change is valuesᵀ·keys, so inner products of changes are inner products of
keys times inner products of values: Gram matrices of the ranks are enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from universal_memory.rendering.adapter import Adapter

TINY = torch.finfo(torch.float32).tiny
MOST_PRODUCTS = 16_000  # of keys, over all layers looked at: well under a millisecond


@dataclass(frozen=True)
class Conflict:
    """What one adapter of a fusion meets in the others."""

    cosine: float = 0.0
    conflict: float = 0.0


def cosine(first: Adapter, second: Adapter) -> float:
    """Cosine between the changes of two adapters, of all layers; 0 where one changes nothing.

    Raises ValueError for adapters of different layers.
    """
    both = [first, second]
    return float(_cosines(*_grams(both, step=1), _owners(both))[0, 1])


def conflicts(
    adapters: Sequence[Adapter],
    gates: Sequence[float] | None = None,
    most_products: int = MOST_PRODUCTS,
) -> list[Conflict]:
    """The conflict of every adapter in the fusion of all, each times its gate (1 by default).

    A gate of 0 takes an adapter out of the fusion. Of a fusion with more than `most_products`
    products of two keys only every second, third ... layer is looked at, from the last one down, so
    that this stays cheap beside rendering. Gates per sample, as of a batch, are left out. Raises
    ValueError for adapters of different layers, or for a wrong number of gates.
    """
    weights = [1.0] * len(adapters) if gates is None else list(gates)
    if len(weights) != len(adapters):
        raise ValueError(f"{len(weights)} gates for {len(adapters)} adapters")
    on = [place for place, gate in enumerate(weights) if gate]
    found = [Conflict()] * len(adapters)
    if len(on) > 1:
        chosen = [adapters[place] for place in on]
        products = len(chosen[0].layers) * sum(adapter.rank for adapter in chosen) ** 2
        keys, values = _grams(chosen, step=-(-products // most_products) or 1)
        owners = _owners(chosen)
        likeness = _cosines(keys, values, owners).abs().fill_diagonal_(0.0).amax(1).clamp(max=1.0)
        shares = _shares(keys, values, owners, [weights[place] for place in on])
        for place, alike, share in zip(on, likeness.tolist(), shares.tolist(), strict=True):
            found[place] = Conflict(alike, share)
    return found


def _owners(adapters: Sequence[Adapter]) -> Tensor:
    """Which ranks of the fusion are whose: 1 where an adapter's are, [ranks, adapters]."""
    return torch.block_diag(*(torch.ones(adapter.rank, 1) for adapter in adapters))


def _grams(adapters: Sequence[Adapter], step: int) -> tuple[Tensor, Tensor]:
    """Inner products of all keys, and of all values, with each other: [layers, ranks, ranks]."""
    layers = adapters[0].layers
    for adapter in adapters:
        if adapter.layers != layers:
            raise ValueError(f"adapters of different layers: {layers} and {adapter.layers}")
    every = slice((len(layers) - 1) % step, None, step)
    keys = torch.cat([adapter.keys[every] for adapter in adapters], dim=1).float()
    values = torch.cat([adapter.values[every] for adapter in adapters], dim=1).float()
    return keys @ keys.mT, values @ values.mT


def _cosines(keys: Tensor, values: Tensor, owners: Tensor) -> Tensor:
    """Cosines between all changes: [adapters, adapters]."""
    products = owners.T @ (keys * values).sum(0) @ owners
    norms = products.diagonal().clamp(min=0.0).sqrt().clamp(min=TINY)
    return products / norms / norms.unsqueeze(1)


def _shares(keys: Tensor, values: Tensor, owners: Tensor, gates: Sequence[float]) -> Tensor:
    """Share of the others in what is written at each adapter's own keys: [adapters].

    What is written is a norm over the layers and keys, each key an input of unit length.
    """
    lengths = keys.diagonal(dim1=1, dim2=2).sqrt().clamp(min=TINY)
    fired = keys / lengths.unsqueeze(2) * (owners @ torch.tensor(gates))
    same = owners @ owners.T  # 1 where two ranks are of one adapter
    own, others = (
        owners.T @ ((part @ values) * part).sum((0, 2)).clamp(min=0.0)
        for part in (fired * same, fired * (1.0 - same))
    )
    own, others = own.sqrt(), others.sqrt()
    return others / (own + others).clamp(min=TINY)
