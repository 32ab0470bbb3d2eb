"""bfloat16 weights under a float32 residual stream, for frozen models in training.

Autocast casts a frozen weight anew at every call, which is why it is slow on CPUs; casting once is
not. On a CPU with AVX512-BF16 a matrix product is 5-10 times faster than in float32
(docs/decisions.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers.pytorch_utils import Conv1D


class MixedLinear(nn.Module):
    """A frozen linear map with bfloat16 weights, float32 outside.

    The weight stays as it lies, transposed in the Conv1D of GPT-2.
    """

    def __init__(self, linear: nn.Linear | Conv1D) -> None:
        super().__init__()
        self.transposed = isinstance(linear, Conv1D)
        self.weight = nn.Parameter(linear.weight.detach().bfloat16(), requires_grad=False)
        bias = linear.bias
        self.bias = None if bias is None else nn.Parameter(bias.bfloat16(), requires_grad=False)

    def forward(self, x: Tensor) -> Tensor:
        """The map in bfloat16, of and to float32."""
        weight = self.weight.T if self.transposed else self.weight
        return F.linear(x.bfloat16(), weight, self.bias).float()


def to_mixed_precision(model: nn.Module) -> None:
    """Replace every linear map of a frozen `model` by a MixedLinear, in place."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear or isinstance(child, Conv1D):
                setattr(parent, name, MixedLinear(child))


def fast_bfloat16(device: str = "cpu") -> bool:
    """Whether bfloat16 products are faster than float32 ones on `device` of this machine."""
    if device != "cpu":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_avx512_bf16_supported())
