"""Ours beside its rivals: the same model, questions, decoding and machine, at several sizes.

Every question is put to all rivals in turn, so that a busy neighbour slows all of them alike. What
a rival has cost decides what is left out: after `seconds` at one size it is asked no more, and its
row says how many questions that were.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from universal_memory.benchmarks.recall import fresh_answerer
from universal_memory.benchmarks.rivals import RIVALS, NotRunError, Parts, Rival, Settings
from universal_memory.benchmarks.rivals.rival import Advance, Answered, Asked
from universal_memory.benchmarks.rivals.text_vectors import FOLDER, TextVectors
from universal_memory.benchmarks.rivals.world import Episodes, World
from universal_memory.training.evaluation.scores import score


@dataclass
class Tally:
    """What one rival did at one size. `not_run`: why not, blank if it was."""

    answers: list[tuple[Asked, Answered]] = field(default_factory=list)
    spent: float = 0.0
    not_run: str = ""


def baselines(
    model: str,
    sizes: Sequence[int],
    questions: int,
    rivals: Sequence[str] = tuple(RIVALS),
    settings: Settings | None = None,
    split: str = "held_out",
    facts: int = 1,
    seed: int = 20261130,
    seconds: float = 300.0,
    vectors: Path = FOLDER,
    advance: Advance = lambda stage, done, total: None,
) -> dict[str, Any]:
    """A row for each size and rival, and all answers.

    `vectors`: where MiniLM's vectors of texts are kept. Raises ValueError for an unknown rival or
    split, or more episodes than the split has, and what `Answerer.load` raises.
    """
    if unknown := sorted(set(rivals) - RIVALS.keys()):
        raise ValueError(f"unknown rival {', '.join(unknown)}; there are: {', '.join(RIVALS)}")
    settings = settings or Settings()
    episodes = Episodes(questions, facts, max(sizes), split, seed)
    with ExitStack() as opened:
        answerer = opened.enter_context(fresh_answerer(model))
        scratch = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        embedded = TextVectors(answerer.space.tower, settings.embed_most, advance, vectors)
        parts = Parts(answerer, settings, embedded, scratch, advance)
        running = [RIVALS[name](parts) for name in rivals]
        rows: list[dict[str, Any]] = []
        answers: list[dict[str, Any]] = []
        for size in sizes:
            tallies = [Tally() for _ in running]
            for rival, tally in zip(running, tallies, strict=True):
                if rival.given and size != sizes[0]:
                    tally.not_run = f"not run: the right memory is given, as with {sizes[0]:,}"
            for number, world in enumerate(episodes.worlds(size, parts)):
                with closing(world):
                    _ask(world, running, tallies, seconds)
                advance(f"{size:,} memories", number + 1, -(-questions // size))
            for rival, tally in zip(running, tallies, strict=True):
                rows.append({"memories": size, "rival": rival.name, **_row(rival, tally)})
                answers += _answers(size, rival, tally)
        space_id = answerer.space.space_id
    return {
        "model": model,
        "space_id": space_id,
        "questions": questions,
        "facts": facts,
        "split": split,
        "seed": seed,
        "seconds": seconds,
        "max_tokens": settings.max_tokens,
        "rows": rows,
        "answers": answers,
    }


def _ask(world: World, rivals: Sequence[Rival], tallies: Sequence[Tally], seconds: float) -> None:
    """Put a world's questions to all rivals that are not through, in turn."""
    running = []
    for rival, tally in zip(rivals, tallies, strict=True):
        if tally.not_run or tally.spent >= seconds:
            continue
        try:
            rival.remember(world)
        except NotRunError as error:
            tally.not_run = str(error)
            continue
        running.append((rival, tally))
    for asked in world.asked:
        for rival, tally in running:
            if tally.spent >= seconds:
                continue
            started = time.perf_counter()
            rival.ready(asked)
            tally.answers.append((asked, rival.answer(asked)))
            tally.spent += time.perf_counter() - started


def _row(rival: Rival, tally: Tally) -> dict[str, Any]:
    """Scores and costs; for what was not run the reason in their place."""
    if tally.not_run:
        return {"not_run": tally.not_run}
    if not tally.answers:
        return {"not_run": "not run: no time was left for it (--seconds)"}
    scores = [
        score(said.text, asked.answers, said.prompt_tokens, {}) for asked, said in tally.answers
    ]
    first = [said.first_token_ms for _, said in tally.answers]
    return {
        "questions": len(scores),
        "exact_match": fmean(one.exact for one in scores),
        "containment": fmean(one.contained for one in scores),
        "f1": fmean(one.f1 for one in scores),
        "bytes_per_memory": rival.bytes_per_memory,
        "compile_ms": rival.compile_ms,
        "prompt_tokens": fmean(one.prompt_tokens for one in scores),
        "first_token_ms_p50": float(np.percentile(first, 50)),
        "first_token_ms_p95": float(np.percentile(first, 95)),
        "note": rival.note,
    }


def _answers(size: int, rival: Rival, tally: Tally) -> list[dict[str, Any]]:
    return [
        {
            "memories": size,
            "rival": rival.name,
            "q": asked.text,
            "accepted": [*asked.answers],
            "answer": said.text,
            "first_token_ms": said.first_token_ms,
        }
        for asked, said in tally.answers
    ]
