"""Gates: how much of each retrieved memory's adapter is put on.

Near one for memories that are about as relevant as the best, and nothing below a threshold: not a
softmax, because a second relevant memory must not weaken the first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

TEMPERATURE = 2.0
DROP_BELOW = 0.3


def gates(
    logits: Sequence[float], temperature: float = TEMPERATURE, drop_below: float = DROP_BELOW
) -> list[float]:
    """One gate a memory, 0 to 1, from its log-odds of being relevant; the best gets 1.

    `temperature`: log-odds under the best at which a gate has fallen to 1/e. Gates under
    `drop_below` are 0.
    """
    if not logits:
        return []
    best = max(logits)
    raw = [math.exp((logit - best) / temperature) for logit in logits]
    return [gate if gate >= drop_below else 0.0 for gate in raw]
