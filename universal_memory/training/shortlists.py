"""Shortlists: for questions, the wrong files that a trained router takes for the right one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch import Tensor

from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pieces import Lists
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.router import SHORTLIST
from universal_memory.training.mixed_precision import fast_bfloat16
from universal_memory.training.retrieval_corpus import RetrievalCorpus
from universal_memory.training.routing_trial import passports_of

_BATCH = 128


@dataclass(frozen=True)
class Shortlists:
    """A question a file, and what the router finds for it.

    `questions`: word pieces. `files` int64 [questions, 1 + wrong]: the right file, then wrong ones,
    the likeliest first. `verified` float32 of the same shape: log-odds from the passports.
    """

    questions: list[tuple[int, ...]]
    files: Tensor
    verified: Tensor


@torch.no_grad()
def shortlists(
    corpus: RetrievalCorpus,
    passports: PassportEncoder,
    encoder: QuestionEncoder,
    wrong: int,
    seed: int,
    report: Callable[[dict[str, Any]], None],
) -> Shortlists:
    """The `wrong` likeliest wrong files for a question about every file of a corpus."""
    every = torch.from_numpy(passports_of(passports, corpus.files))
    drawn = Random(f"{seed} shortlists")
    facts = [drawn.choice(facts) for facts in corpus.facts]
    questions = [drawn.choice(fact.wordings) for fact in facts]
    fast = every.bfloat16() if fast_bfloat16() else every
    files, verified = [], []
    for start in range(0, len(questions), _BATCH):
        block = range(start, min(start + _BATCH, len(questions)))
        seen = encoder.pieces(Lists.of([questions[file] for file in block]))
        points = encoder.points(seen)
        cosines = (points.to(fast.dtype) @ fast.T).float()
        for row, file in enumerate(block):
            cosines[row, torch.from_numpy(facts[file].rivals)] = -1.0
            cosines[row, file] = 2.0  # the right one is the first
        near = cosines.topk(min(1 + SHORTLIST, len(every)), dim=1).indices
        there, chosen = near.unique(return_inverse=True)
        presences = encoder.verifier.presences(seen, every[there])
        logits = encoder.logits(seen, presences, points @ every[there].T, chosen)
        likeliest = 1 + logits[:, 1:].topk(min(wrong, near.shape[1] - 1), dim=1).indices
        order = torch.cat([torch.zeros(len(block), 1, dtype=torch.int64), likeliest], dim=1)
        files.append(near.gather(1, order))
        verified.append(logits.gather(1, order))
        if start // _BATCH % 20 == 0:
            report({"event": "finding wrong files", "done": start, "total": len(questions)})
    return Shortlists(questions, torch.cat(files), torch.cat(verified))
