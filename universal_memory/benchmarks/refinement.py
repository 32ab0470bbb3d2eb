"""Refinement: does a USV gain from a few gradient steps through the frozen renderer?

The encoder's USV is the start. The questions it is refined on are made from the episode's text
alone: to recall it, and to fill in each of some blanks. Recall is measured on the episode's real
questions, which refinement never sees.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from random import Random
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from universal_memory.benchmarks.recall import Advance, Case, Outcome, ask, askable_families
from universal_memory.benchmarks.recall import exact_match as exact
from universal_memory.rendering.adapter import attach
from universal_memory.rendering.fusion import fuse
from universal_memory.runtime.answerer import Answerer
from universal_memory.space.encoder import SLOT_WIDTH
from universal_memory.training.batches import RECITE, QuestionSample, Speller, collate
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample

BLANKS = 4
MAX_TOKENS = 24


def refinement(
    answerer: Answerer,
    episodes: int,
    facts: int,
    steps: Sequence[int],
    rate: float = 0.02,
    split: str = "held_out",
    seed: int = 20261122,
    other: Answerer | None = None,
    advance: Advance = lambda stage, done, total: None,
) -> list[dict[str, Any]]:
    """A row for each number of gradient steps: exact match, seconds a file, distance moved.

    `other`: of another model, which is asked with the same refined files on (`other_exact_match`):
    do they help a model that took no part in it?
    """
    generator = EpisodeGenerator(seed, split, families=askable_families(split))
    samples = [generator.episode(facts) for _ in range(episodes)]
    starts = [torch.from_numpy(answerer.space.encode([one.text])[0].copy()) for one in samples]
    rows = []
    for place, count in enumerate(steps, 1):
        outcomes: list[Outcome] = []
        others: list[Outcome] = []
        seconds, moved = [], []
        for sample, start in zip(samples, starts, strict=True):
            began = time.perf_counter()
            usv = refined(answerer, sample.text, start, count, rate)
            seconds.append(time.perf_counter() - began)
            moved.append(float((usv - start).norm() / start.norm()))
            outcomes += _asked(answerer, sample, usv)
            others += _asked(other, sample, usv) if other else []
        rows.append(
            {
                "steps": count,
                "questions": len(outcomes),
                "exact_match": exact(outcomes),
                "other_exact_match": exact(others) if others else None,
                "seconds": fmean(seconds),
                "moved": fmean(moved),
            }
        )
        advance("refinement", place, len(steps))
    return rows


def refined(answerer: Answerer, text: str, usv: Tensor, steps: int, rate: float) -> Tensor:
    """`usv`, float32 [16, 256], after `steps` of Adam on questions made from `text`.

    `rate`: of every number a step; slots stay layer-normed.
    """
    model = answerer.language_model
    samples = made_questions(text)
    speller = Speller(answerer.space.tower, answerer.renderer.tokens)
    batch = collate([text], samples, torch.ones(len(samples), 1), model, speller)
    moved = usv.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([moved], lr=rate)
    for _ in range(steps):
        slots = F.layer_norm(moved, (SLOT_WIDTH,))
        adapter = fuse([answerer.renderer.manner(), answerer.renderer(slots.unsqueeze(0)).adapter])
        with attach(model.model, model.architecture, adapter):
            logits = model.model(input_ids=batch.ids).logits[batch.rows, batch.positions]
        optimizer.zero_grad()
        F.cross_entropy(logits, batch.targets).backward()
        optimizer.step()
    return F.layer_norm(moved.detach(), (SLOT_WIDTH,)) if steps else usv


def made_questions(text: str) -> list[QuestionSample]:
    """Questions whose answers stand in `text`: to recall it, and to fill in some of its words."""
    words = [one for one in re.finditer(r"\w[\w-]*", text) if len(one.group()) > 3]
    blanks = Random(text).sample(words, min(BLANKS, len(words)))
    samples = [QuestionSample(0, RECITE, text, recited=True)]
    for blank in blanks:
        gapped = f"{text[: blank.start()]}____{text[blank.end() :]}"
        samples.append(QuestionSample(0, f"Fill in the blank: {gapped}", blank.group()))
    return samples


def _asked(answerer: Answerer, sample: EpisodeSample, usv: Tensor) -> list[Outcome]:
    with torch.inference_mode():
        adapter = fuse([answerer.renderer.manner(), answerer.renderer.render(usv)])
    cases = [
        Case(question.text, (question.answers,), adapter)
        for fact in sample.facts
        for question in fact.questions[:1]
    ]
    return ask(answerer.language_model, cases, MAX_TOKENS)
