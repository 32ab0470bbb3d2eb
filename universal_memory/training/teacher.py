"""The text tower as a question encoder: what the router gives up by not running it.

Trained on the passports of a trained router, which stay as they are, and put to the same questions.
It is not shipped: one question takes it about nine milliseconds.
"""

from __future__ import annotations

import json
import math
import random
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.question import PASSPORT_WIDTH
from universal_memory.routing.router import Router
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import CONTEXT_WIDTH, PARTS
from universal_memory.training.ambiguity import Ambiguity
from universal_memory.training.mixed_precision import fast_bfloat16, to_mixed_precision
from universal_memory.training.retrieval_corpus import generate
from universal_memory.training.router_job import Report, trial_files
from universal_memory.training.routing_trial import passports_of

QUESTIONS, BLOCK = 384, 4096  # of a step; the files that are told apart
READ = SEATS * SLOTS
RATE, WARMUP, SCALE = 1e-3, 30, 20.0
_BATCH = 256


class TowerQuestionEncoder(nn.Module):
    """Text states of a question to the passport space: [batch, 1024] of unit norm.

    Four learned queries pool the states [batch, pieces, width]; mask bool [batch, pieces].
    """

    def __init__(self, queries: int = 4, hidden: int = 1024) -> None:
        super().__init__()
        self.word_norm = nn.LayerNorm(PARTS[0])
        self.hidden_norm = nn.LayerNorm(PARTS[1])
        self.query = nn.Linear(CONTEXT_WIDTH, queries)
        pooled = queries * CONTEXT_WIDTH
        self.linear = nn.Linear(pooled, PASSPORT_WIDTH)
        self.deep = nn.Sequential(
            nn.Linear(pooled, hidden), nn.GELU(), nn.Linear(hidden, PASSPORT_WIDTH)
        )

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Points in passport space of a batch of questions."""
        words, hidden, marks = states.split(PARTS, dim=-1)
        states = torch.cat([self.word_norm(words), self.hidden_norm(hidden), marks], dim=-1)
        scores = self.query(states).masked_fill(~mask.unsqueeze(-1), float("-inf"))
        pooled = torch.einsum("bpq,bpc->bqc", scores.softmax(1), states).flatten(1)
        return F.normalize((self.linear(pooled) + self.deep(pooled)).float(), dim=-1)


class TeacherTraining:
    """Trains the tower's encoder on the passports of the training files, which stay as they are."""

    def __init__(
        self, space: SemanticSpace, passports: PassportEncoder, files: int, seed: int
    ) -> None:
        self.space, self.seed = space, seed
        self.episodes = generate(seed, "train", files)
        self.ambiguity = Ambiguity(self.episodes)
        pieces = [[*space.tower.token_ids(one.text)[:READ]] for one in self.episodes]
        self.passports = torch.from_numpy(passports_of(passports, pieces))
        self.encoder = TowerQuestionEncoder()
        self.optimizer = torch.optim.AdamW(self.encoder.parameters(), lr=RATE, betas=(0.9, 0.98))
        self.step = 0

    def train_step(self, progress: float) -> dict[str, float]:
        """One step at `progress` of the schedule, 0 to 1."""
        warm = min(1.0, (self.step + 1) / WARMUP)
        for group in self.optimizer.param_groups:
            group["lr"] = RATE * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        drawn = random.Random(self.seed * 1_000_003 + self.step)
        first = drawn.randrange(max(1, len(self.episodes) - BLOCK))
        block = range(first, min(first + BLOCK, len(self.episodes)))
        asked = drawn.sample(block, min(QUESTIONS, len(block)))
        texts: list[str] = []
        masked = torch.zeros(len(asked), len(block), dtype=torch.bool)
        for row, file in enumerate(asked):
            fact = drawn.choice(self.episodes[file].facts)
            texts.append(drawn.choice(fact.questions).text)
            for other in self.ambiguity.rivals(file, fact):
                if other in block:
                    masked[row, other - first] = True
        cosines = self.points(texts) @ self.passports[first : block.stop].T
        right = torch.tensor(asked) - first
        loss = F.cross_entropy((SCALE * cosines).masked_fill(masked, -1e4), right)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.encoder.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        found = (cosines.masked_fill(masked, -1.0).argmax(1) == right).float().mean()
        return {"order": float(loss.detach()), "recall_at_1": float(found)}

    def points(self, questions: list[str]) -> Tensor:
        """Questions in passport space: [questions, 1024]."""
        states = self.space.tower(questions)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_bfloat16()):
            return self.encoder(states.states, states.mask).float()


def train_teacher(
    run: Path, minutes: float, steps: int, files: int, seed: int, report: Report
) -> None:
    """Train the tower, then compare it with the router; figures in `run`/teacher.json."""
    torch.manual_seed(seed)
    space = SemanticSpace.load()
    router = Router.load(space)
    passports = PassportEncoder.load(space, pieces=router.encoder.pieces)
    if fast_bfloat16():
        to_mixed_precision(space.tower.model)
    training = TeacherTraining(space, passports, files, seed)
    started, progress = time.monotonic(), 0.0
    while progress < 1.0:
        measured = training.train_step(progress)
        gone = (time.monotonic() - started) / (60 * minutes)
        progress = min(1.0, training.step / steps if steps else gone)
        if training.step % 10 == 0:
            report({"step": training.step, "progress": progress, **measured})
    figures = compare(training, passports, router, report)
    run.mkdir(parents=True, exist_ok=True)
    (run / "teacher.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
    report({"event": "compared", "steps": training.step, **figures})


@torch.no_grad()
def compare(
    training: TeacherTraining, passports: PassportEncoder, router: Router, report: Report
) -> dict[str, float]:
    """Recall of tower and router by cosine, on the files that the relevance was fitted on."""
    episodes, asked, read = trial_files(training.space, report)
    texts = [one.text for one in asked]
    teacher = torch.cat(
        [training.points(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
    )
    every = torch.from_numpy(passports_of(passports, read))
    right = torch.tensor([one.file for one in asked])
    figures: dict[str, float] = {"files": len(episodes), "questions": len(asked)}
    for name, points in (("tower", teacher), ("router", torch.from_numpy(router.route(texts)))):
        cosines = points @ every.T
        place = (cosines > cosines.gather(1, right.unsqueeze(1))).sum(1)
        for k in (1, 5):
            figures[f"{name}_recall_at_{k}"] = float((place < k).double().mean())
    return figures
