"""bfloat16 weights under a float32 stream: close to float32, and trainable through."""

from __future__ import annotations

import pytest
import torch
from tiny_models import FAMILIES, random_ids, tiny_model
from torch import nn

from universal_memory.training.mixed_precision import MixedLinear, to_mixed_precision


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_logits_stay_close(family: str) -> None:
    model, ids = tiny_model(family), random_ids()
    exact = model(ids).logits
    to_mixed_precision(model)
    mixed = model(ids).logits
    assert mixed.dtype == torch.float32
    assert (mixed - exact).norm() < 0.05 * exact.norm()


def test_every_linear_map_is_replaced_and_frozen() -> None:
    model = tiny_model("llama")
    linear = sum(type(part) is nn.Linear for part in model.modules())
    to_mixed_precision(model)
    mixed = [part for part in model.modules() if isinstance(part, MixedLinear)]
    assert len(mixed) == linear > 0
    assert not any(type(part) is nn.Linear for part in model.modules())
    assert {part.weight.dtype for part in mixed} == {torch.bfloat16}
    assert not any(parameter.requires_grad for parameter in model.parameters())
    to_mixed_precision(model)  # again: nothing left to do
    assert sum(isinstance(part, MixedLinear) for part in model.modules()) == linear


def test_bias_takes_part_and_gradients_pass() -> None:
    torch.manual_seed(0)
    linear = nn.Linear(8, 4)
    x = torch.randn(3, 8, requires_grad=True)
    y = MixedLinear(linear)(x)
    torch.testing.assert_close(y, linear(x), atol=2e-2, rtol=2e-2)
    y.sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, linear.weight.sum(0).expand(3, -1), atol=2e-2, rtol=2e-2)
