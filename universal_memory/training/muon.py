"""Muon (Jordan et al. 2024): momentum, orthogonalised by Newton-Schulz iteration.

torch.optim.Muon takes matrices only; the renderer's maps are stacks of matrices, one a layer, which
this one treats as such.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from universal_memory.training.mixed_precision import fast_bfloat16

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


class Muon(torch.optim.Optimizer):
    """For parameters of two dimensions, or of three (a stack of matrices).

    Updates have the size that AdamW's have (Liu et al. 2025), so learning rates carry over.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay}
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
                ahead = parameter.grad.lerp(state["momentum"], group["momentum"])
                rows, columns = parameter.shape[-2:]
                size = 0.2 * max(rows, columns) ** 0.5 * group["lr"]
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(orthogonalised(ahead), alpha=-size)


def orthogonalised(matrix: Tensor, iterations: int = 5) -> Tensor:
    """About the nearest (semi-)orthogonal matrix, for [rows, columns] or a stack of them."""
    wide = matrix.shape[-2] <= matrix.shape[-1]
    x = matrix if wide else matrix.mT
    if fast_bfloat16(x.device.type):
        x = x.bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x if wide else x.mT).to(matrix.dtype)
