"""How a space or a renderer is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from universal_memory.training.batches import BatchShape


@dataclass(frozen=True)
class TrainingPlan:
    """How to train. `minutes`: length of the learning-rate schedule in time spent training, which
    keeps a run on a shared machine within its hour; `steps`, if positive, takes its place.
    `closed_share`: of the batches at the start, in the closed vocabulary; it falls to 0.1.
    `composition_from`: share of it from which on files are composed, and hold several facts more
    often. `parts`: of a batch, by length of the sequences. `workers`: processes that make batches,
    0 for the training's own.
    """

    minutes: float = 60.0
    steps: int = 0
    learning_rate: float = 1e-3
    accumulate: int = 2
    parts: int = 4
    workers: int = 0
    warmup: int = 100
    seed: int = 0
    closed_share: float = 0.3
    composition_from: float = 0.12
    words_weight: float = 0.3
    recital_weight: float = 0.5
    clip: float = 1.0
    checkpoint_minutes: float = 3.0
    validate_every: int = 300
    shape: BatchShape = field(default_factory=lambda: BatchShape(recitals=4))
