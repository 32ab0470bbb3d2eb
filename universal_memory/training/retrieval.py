"""Training of passports and router: a question and the memory that answers it meet in one space.

Contrastive over all files of a batch (InfoNCE, van den Oord et al. 2018) for the place in passport
space; for the verifier, over the right file and the wrong ones that lie nearest, a sigmoid loss
(Zhai et al. 2023) for the level and a softmax for the order; and for what a passport carries, which
rare word pieces of the questions are in which files. Batches are of files that are easily confused
(`RetrievalCorpus.batch`).
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
from universal_memory.routing.pieces import Seen
from universal_memory.routing.question import Presences, QuestionEncoder
from universal_memory.training.checkpoint import load_state, save_state
from universal_memory.training.mixed_precision import fast_bfloat16
from universal_memory.training.retrieval_corpus import RetrievalBatch, RetrievalCorpus

COMMON = 0.05  # share of the files from which on a piece is taken for granted
WRONG = 3.0  # weight of a piece that is not there against one that is
WEIGHTS = {"order": 1.0, "verify_order": 1.0, "verify_level": 0.5, "presence": 0.5}


@dataclass(frozen=True)
class RetrievalPlan:
    """How to train: `memories` files a step, up to `questions` each, `wrong` ones to verify."""

    minutes: float = 12.0
    steps: int = 0
    learning_rate: float = 1e-3
    warmup: int = 30
    memories: int = 768
    questions: int = 2
    wrong: int = 15
    seed: int = 0
    checkpoint_minutes: float = 3.0


class RetrievalTraining:
    """State of one training run: `run` goes on from the checkpoint, if there is one."""

    def __init__(
        self,
        corpus: RetrievalCorpus,
        passports: PassportEncoder,
        questions: QuestionEncoder,
        plan: RetrievalPlan,
        checkpoint: Path,
        report: Callable[[dict[str, Any]], None],
    ) -> None:
        self.corpus, self.passports, self.questions = corpus, passports, questions
        self.plan, self.checkpoint, self.report = plan, checkpoint, report
        self.scale = nn.Parameter(torch.tensor(math.log(20.0)))
        self.networks = nn.ModuleList([passports, questions])
        of_pieces = [passports.emphasis, questions.emphasis, questions.need]
        table = questions.pieces.table
        self.rest = [
            *(one for one in self.networks.parameters()
              if all(one is not other for other in (*of_pieces, table))),
            self.scale,
        ]  # fmt: skip
        groups = [
            {"params": self.rest, "rate": plan.learning_rate, "weight_decay": 0.01},
            {"params": [table], "rate": 2 * plan.learning_rate, "weight_decay": 0.0},
            {"params": of_pieces, "rate": 10 * plan.learning_rate, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        self.step, self.seconds = 0, 0.0
        self._resume()

    @property
    def progress(self) -> float:
        """Share of the schedule done, 0 to 1."""
        if self.plan.steps:
            return min(1.0, self.step / self.plan.steps)
        return min(1.0, self.seconds / (60.0 * self.plan.minutes))

    def run(self) -> None:
        """Train to the end of the plan."""
        saved = time.monotonic()
        while self.progress < 1.0:
            started = time.monotonic()
            measured = self._train_step()
            self.step += 1
            self.seconds += time.monotonic() - started
            if self.step % 20 == 0:
                self.report({"step": self.step, "progress": self.progress, **measured})
            if time.monotonic() - saved > 60 * self.plan.checkpoint_minutes:
                self.save()
                saved = time.monotonic()
        self.save()

    def save(self) -> None:
        """Write the checkpoint."""
        save_state(
            self.checkpoint,
            {
                "networks": self.networks.state_dict(),
                "scale": self.scale.data,
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
            },
        )

    def _resume(self) -> None:
        state = load_state(self.checkpoint)
        if state is None:
            return
        self.networks.load_state_dict(state["networks"])
        self.scale.data.copy_(state["scale"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]

    def _train_step(self) -> dict[str, float]:
        warm = min(1.0, (self.step + 1) / self.plan.warmup)
        rate = warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * rate
        drawn = random.Random(self.plan.seed * 1_000_003 + self.step)
        batch = self.corpus.batch(drawn, self.plan.memories, self.plan.questions)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_bfloat16()):
            losses, scores = self.losses(batch)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack([WEIGHTS[name] * loss for name, loss in losses.items()]).sum().backward()
        nn.utils.clip_grad_norm_(self.rest, 1.0)
        self.optimizer.step()
        return {**{name: float(loss.detach()) for name, loss in losses.items()}, **scores}

    def losses(self, batch: RetrievalBatch) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Losses and recall of one batch."""
        passports = self.passports.of_pieces(batch.files)
        seen = self.questions.pieces(batch.questions)
        points = self.questions.points(seen)
        with torch.autocast("cpu", enabled=False):  # differences of cosines are small
            cosines = (points @ passports.T).masked_fill(batch.rivals, -1.0)
        right = batch.right.unsqueeze(1)
        order = F.cross_entropy(cosines * self.scale.exp(), batch.right)
        wrong = cosines.detach().scatter(1, right, -2.0)
        nearest = wrong.topk(min(self.plan.wrong, wrong.shape[1] - 1), dim=1).indices
        chosen = torch.cat([right, nearest], dim=1)
        presences = self.questions.verifier.presences(seen, passports)
        logits = self.questions.logits(seen, presences, cosines, chosen).float()
        first = torch.zeros(len(logits), dtype=torch.int64)
        signs = -torch.ones(logits.shape[1])
        signs[0] = 1.0
        losses = {
            "order": order,
            "verify_order": F.cross_entropy(logits, first),
            "verify_level": -F.logsigmoid(signs * logits).sum(1).mean(),
            "presence": self._presence(batch, seen, presences),
        }
        scores = {
            "recall_at_1": float((cosines.argmax(1) == batch.right).float().mean()),
            "verified_at_1": float((logits.argmax(1) == 0).float().mean()),
        }
        return losses, scores

    def _presence(self, batch: RetrievalBatch, seen: Seen, presences: Presences) -> Tensor:
        """Cross-entropy of which rare pieces of the questions are in which files."""
        pieces = batch.questions.ids.unique()  # as `seen` has them
        there = torch.zeros_like(presences.words)
        row = torch.searchsorted(pieces, batch.files.ids).clamp(max=len(pieces) - 1)
        known = pieces[row] == batch.files.ids
        there[row[known], batch.files.owners()[known]] = 1.0
        rare = self.corpus.document_frequency[pieces] < COMMON
        level, there = presences.words[rare], there[rare] > 0.5
        return -F.logsigmoid(level[there]).mean() - WRONG * F.logsigmoid(-level[~there]).mean()


def start(passports: PassportEncoder, questions: QuestionEncoder, corpus: RetrievalCorpus) -> None:
    """Both sides start alike, and a piece counts by how rare it is."""
    linear = passports.head.linear
    questions.head.linear.load_state_dict(linear.state_dict())
    verifier = questions.verifier
    width = verifier.word_trace.in_features
    with torch.no_grad():
        verifier.word_trace.weight.copy_(linear.weight[:, :width])
        verifier.pair_trace.weight.copy_(linear.weight[:, width:])
        rarity = -(0.99 * corpus.document_frequency + 1e-4).log()
        for emphasis in (passports.emphasis, questions.emphasis, questions.need):
            emphasis.copy_((rarity / rarity.max()).log().clamp(min=-2.5))
