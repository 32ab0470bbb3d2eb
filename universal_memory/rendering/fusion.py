"""Fusion: several adapters at once.

Adapters are joined along the rank, which is the exact sum of their changes; averaging keys and
values apart would add cross terms between memories.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from universal_memory.rendering.adapter import Adapter


def fuse(adapters: Sequence[Adapter], gates: Sequence[float] | None = None) -> Adapter:
    """The sum of `adapters`, each times its gate (1 by default).

    Raises ValueError for no adapter, for adapters of different layers, or for a wrong number of
    gates.
    """
    if not adapters:
        raise ValueError("nothing to fuse: give at least one adapter")
    layers = adapters[0].layers
    for adapter in adapters:
        if adapter.layers != layers:
            raise ValueError(f"adapters of different layers: {layers} and {adapter.layers}")
    if gates is None:
        gates = [1.0] * len(adapters)
    keys = torch.cat([adapter.keys for adapter in adapters], dim=1)
    values = torch.cat(
        [adapter.values * gate for adapter, gate in zip(adapters, gates, strict=True)], dim=1
    )
    return Adapter(layers, keys, values)
