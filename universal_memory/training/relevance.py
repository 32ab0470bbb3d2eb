"""Is a probability what it says: calibration and its statistics."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class ReliabilityBin:
    """Forecasts from `low` to `high`: how many, what they said and what came true."""

    low: float
    high: float
    count: int
    said: float
    true: float


def fit_logistic(x: Tensor, y: Tensor) -> list[float]:
    """Weights, and offset last, of the logistic regression of y (0 or 1) on x.

    `x`: float64 [samples, features]; `y`: float64 [samples].
    """
    parameters = torch.zeros(x.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        logit = x @ parameters[:-1] + parameters[-1]
        loss = F.binary_cross_entropy_with_logits(logit, y)
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    fitted: list[float] = parameters.detach().tolist()
    return fitted


def reliability(probability: Tensor, outcome: Tensor, bins: int = 10) -> list[ReliabilityBin]:
    """Forecast and frequency in equal-width bins; empty bins are left out."""
    place = (probability * bins).long().clamp(max=bins - 1)
    table = []
    for number in range(bins):
        inside = place == number
        if bool(inside.any()):
            said, true = float(probability[inside].mean()), float(outcome[inside].double().mean())
            count = int(inside.sum())
            table.append(ReliabilityBin(number / bins, (number + 1) / bins, count, said, true))
    return table


def calibration_error(probability: Tensor, outcome: Tensor, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017) over equal-width bins."""
    table = reliability(probability, outcome, bins)
    return sum(one.count * abs(one.said - one.true) for one in table) / len(probability)


def auroc(score: Tensor, outcome: Tensor) -> float:
    """Area under the ROC curve, by ranks."""
    ranks = score.argsort().argsort().double() + 1
    positives = outcome.sum()
    negatives = len(outcome) - positives
    area = (ranks[outcome > 0.5].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    return float(area)
