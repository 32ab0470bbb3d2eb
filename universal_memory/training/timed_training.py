"""A training run whose schedule counts the time spent, and which goes on where it was cut."""

from __future__ import annotations

import math
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from universal_memory.training.checkpoint import load_state, save_state
from universal_memory.training.schedule import Schedule

REPORT_EVERY = 20  # steps


class TimedTraining(ABC):
    """State of one run: `run` goes on from the checkpoint, if there is one.

    `networks`: what is saved. `optimizer`: its groups may have a `rate` of their own. `clipped`:
    parameters whose gradient's norm is kept under 1.
    """

    def __init__(
        self,
        networks: nn.Module,
        optimizer: torch.optim.Optimizer,
        clipped: list[Tensor],
        schedule: Schedule,
        checkpoint: Path,
        report: Callable[[dict[str, Any]], None],
    ) -> None:
        self.networks, self.optimizer, self.clipped = networks, optimizer, clipped
        self.schedule, self.checkpoint, self.report = schedule, checkpoint, report
        self.step, self.seconds = 0, 0.0
        if (state := load_state(checkpoint)) is not None:
            networks.load_state_dict(state["networks"])
            optimizer.load_state_dict(state["optimizer"])
            self.step, self.seconds = state["step"], state["seconds"]

    @abstractmethod
    def losses(self, drawn: random.Random) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch, and what to report of it."""

    @property
    def progress(self) -> float:
        """Share of the schedule done, 0 to 1."""
        return self.schedule.progress(self.step, self.seconds)

    def run(self) -> None:
        """Train to the end of the schedule."""
        saved = time.monotonic()
        while self.progress < 1.0:
            started = time.monotonic()
            measured = self._train_step()
            self.step += 1
            self.seconds += time.monotonic() - started
            if self.step % REPORT_EVERY == 0:
                self.report({"step": self.step, "progress": self.progress, **measured})
            if time.monotonic() - saved > 60 * self.schedule.checkpoint_minutes:
                self.save()
                saved = time.monotonic()
        self.save()

    def save(self) -> None:
        """Write the checkpoint."""
        save_state(
            self.checkpoint,
            {
                "networks": self.networks.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
        )

    def _train_step(self) -> dict[str, float]:
        warm = min(1.0, (self.step + 1) / self.schedule.warmup)
        rate = warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("rate", self.schedule.learning_rate)
        loss, measured = self.losses(random.Random(self.schedule.seed * 1_000_003 + self.step))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.clipped, 1.0)
        self.optimizer.step()
        return measured
