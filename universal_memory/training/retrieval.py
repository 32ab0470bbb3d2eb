"""Training of passports and router: a question and the memory that answers it meet in one space.

Contrastive (InfoNCE, van den Oord et al. 2018) for the order, and a sigmoid loss over all pairs
(Zhai et al. 2023) for the level, so that a question about nothing known is near no passport. The
space is frozen.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.router import QuestionEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.checkpoint import load_state, save_state
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample
from universal_memory.training.mixed_precision import to_mixed_precision


@dataclass(frozen=True)
class RetrievalPlan:
    """How to train. `groups`: share of memories in near-duplicate groups of four."""

    minutes: float = 12.0
    steps: int = 0
    learning_rate: float = 1e-3
    warmup: int = 30
    memories: int = 128
    questions: int = 2
    groups: float = 0.5
    seed: int = 0
    checkpoint_minutes: float = 3.0


class RetrievalTraining:
    """State of one training run: `run` goes on from the checkpoint, if there is one."""

    def __init__(
        self,
        space: SemanticSpace,
        passports: PassportEncoder,
        questions: QuestionEncoder,
        plan: RetrievalPlan,
        checkpoint: Path,
        report: Callable[[dict[str, Any]], None],
    ) -> None:
        self.space, self.passports, self.questions = space, passports, questions
        self.plan, self.checkpoint, self.report = plan, checkpoint, report
        self.device = space.tower.device
        to_mixed_precision(space.tower.model)
        self.scale = nn.Parameter(torch.tensor(math.log(20.0)))
        self.offset = nn.Parameter(torch.tensor(-10.0))
        self.parameters = [
            *passports.parameters(),
            *questions.parameters(),
            self.scale,
            self.offset,
        ]
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.05
        )
        self.step, self.seconds = 0, 0.0
        self._resume()

    @property
    def progress(self) -> float:
        """Share of the schedule done, 0 to 1."""
        if self.plan.steps:
            return min(1.0, self.step / self.plan.steps)
        return min(1.0, self.seconds / (60.0 * self.plan.minutes))

    def run(self) -> None:
        """Train to the end of the plan, then fit the relevance on new data."""
        saved = time.monotonic()
        while self.progress < 1.0:
            started = time.monotonic()
            measured = self._train_step()
            self.step += 1
            self.seconds += time.monotonic() - started
            if self.step % 10 == 0:
                self.report({"step": self.step, "progress": self.progress, **measured})
            if time.monotonic() - saved > 60 * self.plan.checkpoint_minutes:
                self.save()
                saved = time.monotonic()
        self.save()

    def similarities(
        self, episodes: list[EpisodeSample], asked: list[tuple[int, str]]
    ) -> tuple[Tensor, Tensor]:
        """Cosines [questions, memories] and the right memory of every question."""
        with torch.no_grad(), torch.autocast(self.device, dtype=torch.bfloat16):
            texts = self.space.tower([episode.text for episode in episodes])
            usv = self.space.encoder(texts.states, texts.mask).float()
        states = self.space.tower([question for _, question in asked])
        passports = self.passports(usv)
        points = self.questions(states.states, states.mask)
        right = torch.tensor([memory for memory, _ in asked], device=self.device)
        return points @ passports.T, right

    @torch.no_grad()
    def relevance(self, batches: int = 6, seed: int = 77) -> dict[str, float]:
        """Platt scaling (1999) of the cosine of each question's nearest memories, and recall.

        Half of the questions find their own memory taken out: what is nearest then is a stranger.
        """
        cosines: list[Tensor] = []
        relevant: list[Tensor] = []
        found: list[Tensor] = []
        for part in range(batches):
            episodes, asked = self._batch(EpisodeGenerator(seed + part, "held_out"), seed + part)
            similar, right = (one.cpu() for one in self.similarities(episodes, asked))
            found.append(similar.argmax(1) == right)
            orphans = torch.arange(len(right)) % 2 == 0
            similar[orphans, right[orphans]] = -1.0
            best = similar.topk(3, dim=1)
            cosines.append(best.values.flatten())
            own = (best.indices == right[:, None]) & ~orphans[:, None]
            relevant.append(own.flatten().float())
        x, y = torch.cat(cosines).double(), torch.cat(relevant).double()
        slope, offset = fit_logistic(x, y)
        probability = torch.sigmoid(slope * x + offset)
        return {
            "slope": slope,
            "offset": offset,
            "recall_at_1": float(torch.cat(found).float().mean()),
            "memories_in_pool": float(self.plan.memories),
            "calibration_error": calibration_error(probability, y),
            "auroc": auroc(probability, y),
        }

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "passports": self.passports.state_dict(),
            "questions": self.questions.state_dict(),
            "scale": self.scale.detach(),
            "offset": self.offset.detach(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        save_state(self.checkpoint, state)

    def _resume(self) -> None:
        state = load_state(self.checkpoint)
        if state is None:
            return
        self.passports.load_state_dict(state["passports"])
        self.questions.load_state_dict(state["questions"])
        self.scale.data.copy_(state["scale"])
        self.offset.data.copy_(state["offset"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def _batch(
        self, generator: EpisodeGenerator, seed: int
    ) -> tuple[list[EpisodeSample], list[tuple[int, str]]]:
        rng = random.Random(seed)
        episodes: list[EpisodeSample] = []
        while len(episodes) < self.plan.memories:
            if rng.random() < self.plan.groups / 4:
                episodes += generator.group(4)
            else:
                episodes.append(generator.episode(rng.choices(range(1, 7), (8, 3, 3, 1, 1, 1))[0]))
        asked = [
            (memory, rng.choice(fact.questions).text)
            for memory, episode in enumerate(episodes)
            for fact in rng.sample(episode.facts, min(self.plan.questions, len(episode.facts)))
        ]
        return episodes, asked

    def _train_step(self) -> dict[str, float]:
        warm = min(1.0, (self.step + 1) / self.plan.warmup)
        rate = warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * rate
        seed = self.plan.seed * 1_000_003 + self.step
        similar, right = self.similarities(*self._batch(EpisodeGenerator(seed), seed))
        logits = similar * self.scale.exp()
        signs = 2.0 * F.one_hot(right, logits.shape[1]) - 1.0
        order = F.cross_entropy(logits, right)
        level = -F.logsigmoid(signs * (logits + self.offset)).sum(1).mean()
        self.optimizer.zero_grad(set_to_none=True)
        (order + 0.5 * level).backward()
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        top = logits.topk(3, 1).indices == right[:, None]
        return {
            "order": float(order.detach()),
            "level": float(level.detach()),
            "recall_at_1": float((logits.argmax(1) == right).float().mean()),
            "recall_at_3": float(top.any(1).float().mean()),
        }


def fit_logistic(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Slope and offset of the logistic regression of y (0 or 1) on x, float64 [samples]."""
    parameters = torch.tensor([10.0, -5.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([parameters], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        logit = parameters[0] * x + parameters[1]
        loss = F.binary_cross_entropy_with_logits(logit, y)
        loss.backward()
        return loss

    with torch.enable_grad():
        optimizer.step(closure)
    slope, offset = parameters.detach().tolist()
    return slope, offset


def calibration_error(probability: Tensor, outcome: Tensor, bins: int = 15) -> float:
    """Expected calibration error (Guo et al. 2017) over equal-width bins."""
    place = (probability * bins).long().clamp(max=bins - 1)
    error = 0.0
    for number in range(bins):
        inside = place == number
        if bool(inside.any()):
            gap = (probability[inside].mean() - outcome[inside].mean()).abs()
            error += float(gap * inside.double().mean())
    return error


def auroc(score: Tensor, outcome: Tensor) -> float:
    """Area under the ROC curve, by ranks."""
    ranks = score.argsort().argsort().double() + 1
    positives = outcome.sum()
    negatives = len(outcome) - positives
    area = (ranks[outcome > 0.5].sum() - positives * (positives + 1) / 2) / (positives * negatives)
    return float(area)
