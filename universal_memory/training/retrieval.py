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
from universal_memory.training.mixed_precision import fast_bfloat16
from universal_memory.training.retrieval_corpus import RetrievalBatch, RetrievalCorpus
from universal_memory.training.schedule import Schedule
from universal_memory.training.timed_training import TimedTraining

COMMON = 0.05  # share of the files from which on a piece is taken for granted
WRONG = 3.0  # weight of a piece that is not there against one that is
WEIGHTS = {"order": 1.0, "verify_order": 1.0, "verify_level": 0.5, "presence": 0.5}


@dataclass(frozen=True)
class RetrievalPlan(Schedule):
    """How to train: `memories` files a step, up to `questions` each, `wrong` ones to verify."""

    memories: int = 768
    questions: int = 2
    wrong: int = 15


class RetrievalTraining(TimedTraining):
    """Trains passports and the question encoder together."""

    def __init__(
        self,
        corpus: RetrievalCorpus,
        passports: PassportEncoder,
        questions: QuestionEncoder,
        plan: RetrievalPlan,
        checkpoint: Path,
        report: Callable[[dict[str, Any]], None],
    ) -> None:
        self.corpus, self.passports, self.questions, self.plan = corpus, passports, questions, plan
        self.scale = nn.Parameter(torch.tensor(math.log(20.0)))
        networks = nn.ModuleList([passports, questions, nn.ParameterList([self.scale])])
        of_pieces = [passports.emphasis, questions.emphasis, questions.need]
        table = questions.pieces.table
        rest: list[Tensor] = [
            one for one in networks.parameters()
            if all(one is not other for other in (*of_pieces, table))
        ]  # fmt: skip
        groups = [
            {"params": rest, "rate": plan.learning_rate, "weight_decay": 0.01},
            {"params": [table], "rate": 2 * plan.learning_rate, "weight_decay": 0.0},
            {"params": of_pieces, "rate": 10 * plan.learning_rate, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
        super().__init__(networks, optimizer, rest, plan, checkpoint, report)

    def losses(self, drawn: random.Random) -> tuple[Tensor, dict[str, float]]:
        """Of a batch of the corpus."""
        batch = self.corpus.batch(drawn, self.plan.memories, self.plan.questions)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_bfloat16()):
            losses, scores = self.losses_of(batch)
        whole = torch.stack([WEIGHTS[name] * loss for name, loss in losses.items()]).sum()
        return whole, {**{name: float(loss.detach()) for name, loss in losses.items()}, **scores}

    def losses_of(self, batch: RetrievalBatch) -> tuple[dict[str, Tensor], dict[str, float]]:
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
        rare = self.corpus.rare.frequency[pieces] < COMMON
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
        rarity = -(0.99 * corpus.rare.frequency + 1e-4).log()
        for emphasis in (passports.emphasis, questions.emphasis, questions.need):
            emphasis.copy_((rarity / rarity.max()).log().clamp(min=-2.5))
