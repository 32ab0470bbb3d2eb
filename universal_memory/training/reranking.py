"""Training of the reranker: the right file among those that the router takes for it.

A softmax for the order and a sigmoid loss for the level, as for the verifier (training.retrieval).
In every batch rare pieces stand for any others, the same in questions and files.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from universal_memory.routing.reranker import Reranker, padded
from universal_memory.training.mixed_precision import fast_bfloat16
from universal_memory.training.rare_pieces import misread, swapped
from universal_memory.training.retrieval_corpus import RetrievalCorpus
from universal_memory.training.schedule import Schedule
from universal_memory.training.shortlists import Shortlists
from universal_memory.training.timed_training import TimedTraining

LEVEL = 0.5  # weight of the sigmoid loss


@dataclass(frozen=True)
class RerankingPlan(Schedule):
    """How to train: `questions` a step, each with the right file and `wrong` ones."""

    questions: int = 96
    wrong: int = 7


class RerankerTraining(TimedTraining):
    """Trains the reranker on the shortlists of a trained router, which stays as it is."""

    def __init__(
        self,
        corpus: RetrievalCorpus,
        shortlists: Shortlists,
        reranker: Reranker,
        plan: RerankingPlan,
        checkpoint: Path,
        report: Callable[[dict[str, Any]], None],
    ) -> None:
        self.corpus, self.shortlists, self.reranker = corpus, shortlists, reranker
        self.plan = plan
        parameters: list[Tensor] = list(reranker.parameters())
        optimizer = torch.optim.AdamW(
            parameters, lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        super().__init__(reranker, optimizer, parameters, plan, checkpoint, report)

    def losses(self, drawn: random.Random) -> tuple[Tensor, dict[str, float]]:
        """Of questions drawn at random, with some of their wrong files."""
        lists = self.shortlists
        rows = drawn.sample(range(len(lists.questions)), min(self.plan.questions, len(lists.files)))
        found = lists.files.shape[1]
        wrong = min(self.plan.wrong, found - 1)
        places = torch.tensor([[0, *drawn.sample(range(1, found), wrong)] for _ in rows])
        files = lists.files[rows].gather(1, places)
        verified = lists.verified[rows].gather(1, places)
        texts = (self.corpus.files[file] for file in files.flatten().tolist())
        read = [misread(pieces, drawn) for pieces in texts]
        swap = self.corpus.rare.swap(drawn)
        asked = swapped(padded([lists.questions[row] for row in rows]), swap)
        held = swapped(padded(read), swap).view(*files.shape, -1)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_bfloat16()):
            logits = self.reranker(asked, held, verified).float()
        first = torch.zeros(len(rows), dtype=torch.int64)
        signs = -torch.ones(logits.shape[1])
        signs[0] = 1.0
        order = F.cross_entropy(logits, first)
        level = -F.logsigmoid(signs * logits).sum(1).mean()
        right = (logits.argmax(1) == 0).float().mean()
        before = (verified.argmax(1) == 0).float().mean()
        measured = {"order": order, "level": level, "first": right, "verified_first": before}
        return order + LEVEL * level, {name: float(one.detach()) for name, one in measured.items()}
