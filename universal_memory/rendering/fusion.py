"""Fusion: several adapters at once.

Adapters are joined along the rank, which is the exact sum of their changes; averaging keys and
values apart would add cross terms between memories.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from universal_memory.rendering.adapter import Adapter, LowRank


def fuse(adapters: Sequence[Adapter], gates: Sequence[float] | None = None) -> Adapter:
    """The sum of `adapters`, each times its gate (1 by default).

    Raises ValueError for no adapter, for adapters of different layers, or for a wrong number of
    gates.
    """
    if not adapters:
        raise ValueError("nothing to fuse: give at least one adapter")
    if gates is None:
        gates = [1.0] * len(adapters)
    weighted = list(zip(adapters, gates, strict=True))
    change = _joined(weighted)
    attention = [(one.attention, gate) for one, gate in weighted if one.attention is not None]
    return Adapter(
        change.layers,
        change.keys,
        change.values,
        attention=_joined(attention) if attention else None,
    )


def _joined(weighted: Sequence[tuple[LowRank, float]]) -> LowRank:
    layers = weighted[0][0].layers
    for one, _ in weighted:
        if one.layers != layers:
            raise ValueError(f"adapters of different layers: {layers} and {one.layers}")
    keys = torch.cat([one.keys for one, _ in weighted], dim=1)
    values = torch.cat([one.values * gate for one, gate in weighted], dim=1)
    return LowRank(layers, keys, values)
