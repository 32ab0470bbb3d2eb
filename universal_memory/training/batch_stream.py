"""The batches of a training run, in their order.

Made by other processes where the plan has workers: on a GPU a step takes less time than its batch.
"""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from torch.utils.data import DataLoader, Dataset

from universal_memory.runtime.language_model import LanguageModel
from universal_memory.training.batches import Batch, Speller, make_batch
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.plan import TrainingPlan

AHEAD = 2  # batches that a worker is ahead


class BatchStream(Dataset[Batch]):
    """Batch `number` of a run: the same for the same plan and progress, resumed or not.

    `progress`: share of the schedule done when a batch is made, 0 to 1; the run sets it.
    """

    def __init__(self, plan: TrainingPlan, language_model: LanguageModel, speller: Speller) -> None:
        self.plan, self.language_model, self.speller = plan, language_model, speller
        self._progress = multiprocessing.Value("d", 0.0)  # workers see it change

    @property
    def progress(self) -> float:
        """Share of the schedule done."""
        return self._progress.value

    @progress.setter
    def progress(self, value: float) -> None:
        self._progress.value = value

    def __getitem__(self, number: int) -> Batch:
        """A batch of fresh episodes."""
        plan, progress = self.plan, self.progress
        step, part = divmod(number, plan.accumulate)
        seed = (plan.seed * 1_000_003 + step) * 8 + part
        # The mechanism is learned on few words, the words by the way; then all words.
        closed = random.Random(seed).random() < max(0.1, plan.closed_share - progress)
        vocabulary = "closed" if closed else "open"
        shape = plan.shape
        if progress < plan.composition_from:
            easy = (0.8, 0.1, 0.1, 0.0, 0.0, 0.0)
            shape = replace(shape, composition=0.0, groups=0.0, couples=0.0, fact_counts=easy)
        generator = EpisodeGenerator(seed=seed, split="train", vocabulary=vocabulary)
        return make_batch(generator, shape, self.language_model, self.speller, random.Random(seed))

    def start(self, number: int) -> Iterator[Batch]:
        """Batches from `number` on, without end."""
        workers = self.plan.workers
        return iter(
            DataLoader(
                self,
                batch_size=None,  # an item is a batch
                sampler=count(number),
                num_workers=workers,
                prefetch_factor=AHEAD if workers else None,
                multiprocessing_context="fork" if workers else None,
            )
        )
