"""From what a router found to the probability that it is what was asked for.

Evidence for one memory counts for less the more there is for others: in a store of many
near-duplicates the best is often the wrong one, in a small one a faint match is often right. So
the log-odds of a memory are a logistic of its own evidence and of that of its rivals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

NO_RIVAL = -8.0  # evidence that stands for a rival where there is none


@dataclass(frozen=True)
class Calibration:
    """log-odds = slope · evidence - rivalry · (evidence for all others together) + offset."""

    slope: float = 1.0
    rivalry: float = 0.0
    offset: float = 0.0

    def __call__(self, evidence: ArrayLike) -> NDArray[np.float64]:
        """Log-odds of the memories of one shortlist, from the evidence for each: [memories]."""
        own = np.asarray(evidence, np.float64)
        return self.slope * own - self.rivalry * rivals(own) + self.offset


def rivals(evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evidence for all others together (log of the sum of odds), for each: [memories]."""
    others = np.broadcast_to(evidence, (len(evidence), len(evidence))).copy()
    np.fill_diagonal(others, NO_RIVAL)
    return np.asarray(np.logaddexp.reduce(others, axis=1))
