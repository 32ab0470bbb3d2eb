"""Fusion on rank is the exact sum of the changes."""

from __future__ import annotations

import pytest
import torch
from tiny_models import listening, random_adapter, tiny_model

from universal_memory.rendering.adapter import Adapter
from universal_memory.rendering.architecture import inspect_architecture
from universal_memory.rendering.fusion import fuse


def adapters(*ranks: int) -> list[Adapter]:
    architecture = inspect_architecture(tiny_model("llama"))
    return [random_adapter(architecture, rank=rank, seed=rank) for rank in ranks]


def test_fused_is_the_sum() -> None:
    parts = adapters(3, 5, 1)
    fused = fuse(parts)
    assert fused.rank == 9
    for layer in fused.layers:
        torch.testing.assert_close(fused.delta(layer), sum(part.delta(layer) for part in parts))


def test_gates_weigh_the_parts() -> None:
    first, second, third = adapters(3, 5, 2)
    fused = fuse([first, second, third], [1.0, 0.25, 0.0])
    wanted = first.delta(3) + 0.25 * second.delta(3)
    torch.testing.assert_close(fused.delta(3), wanted)


def test_what_attention_sees_is_summed_too() -> None:
    architecture = inspect_architecture(tiny_model("llama"))
    manner, memory = listening(architecture), random_adapter(architecture)
    assert fuse([memory, memory]).attention is None
    fused = fuse([memory, manner, manner], [1.0, 0.5, 0.25]).attention
    x = torch.randn(2, 4, 32, generator=torch.Generator().manual_seed(0))
    assert fused is not None and manner.attention is not None
    torch.testing.assert_close(fused.change(1, x), 0.75 * manner.attention.change(1, x))


def test_parts_stay_as_they_were() -> None:
    first, second = adapters(3, 5)
    values = first.values.clone()
    fuse([first, second], [0.5, 0.5])
    assert torch.equal(first.values, values)


def test_refusals() -> None:
    architecture = inspect_architecture(tiny_model("llama"))
    first = random_adapter(architecture, layers=(1, 3))
    with pytest.raises(ValueError, match="nothing to fuse"):
        fuse([])
    with pytest.raises(ValueError, match=r"different layers: \(1, 3\) and \(2, 3\)"):
        fuse([first, random_adapter(architecture, layers=(2, 3))])
    with pytest.raises(ValueError, match="shorter"):
        fuse([first, first], [1.0])
