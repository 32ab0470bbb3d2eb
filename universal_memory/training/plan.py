"""How a space or a renderer is trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from universal_memory.training.batches import BatchShape
from universal_memory.training.schedule import Schedule

LARGE = 64  # memories of a batch


@dataclass(frozen=True)
class TrainingPlan(Schedule):
    """How to train, beside the schedule.

    `closed_share`: of the batches at the start, in the closed vocabulary; it falls to 0.1.
    `composition_from`: share of it from which on files are composed, and hold several facts more
    often. `copied_rate`: of what knows of memories alone, of the rate of the rest of a renderer.
    `parts`: of a batch, by length of the sequences. `workers`: processes that make batches,
    0 for the training's own.
    """

    minutes: float = 60.0
    warmup: int = 100
    accumulate: int = 1
    parts: int = 3
    workers: int = 0
    closed_share: float = 0.3
    composition_from: float = 0.12
    words_weight: float = 0.3
    recital_weight: float = 0.5
    binding_weight: float = 0.2
    clip: float = 1.0
    copied_rate: float = 1.0
    validate_every: int = 300
    shape: BatchShape = field(default_factory=lambda: BatchShape(memories=32, recitals=8))

    def on_gpu(self, cores: int) -> TrainingPlan:
        """The same where a step's time goes into starting kernels: few and large ones.

        `cores`: of the machine; all but two make batches.
        """
        shape = replace(self.shape, memories=192, recitals=48)
        return replace(
            self, accumulate=1, parts=1, workers=max(1, cores - 2), validate_every=1500, shape=shape
        )

    def transferred(self) -> TrainingPlan:
        """The same from a renderer of another model: what was copied is nearly right already."""
        return replace(self, copied_rate=0.3)

    def going_on(self) -> TrainingPlan:
        """The same from trained weights: all words, composition at once, and little to recite."""
        shape = replace(
            self.shape,
            recitals=self.shape.recitals // 4,
            composition=0.5,
            groups=0.3,
            couples=0.2,
            fact_counts=(0.45, 0.15, 0.2, 0.08, 0.06, 0.06),
        )
        # At the full rate what was learned is lost first; large batches bear more of it.
        rate = self.learning_rate * (0.5 if shape.memories < LARGE else 0.8)
        return replace(
            self, learning_rate=rate, closed_share=0.1, composition_from=0.0, warmup=30, shape=shape
        )
