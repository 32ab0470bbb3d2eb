"""Tracing: does the word that a trace names first hold the answer?

Of questions with one fact a file, the right file and others at full gates beside it. Looked at is
the rank that did the most for the first token of the answer: whether it is of the right file, and
of a seat there whose word piece begins an accepted answer. By chance is a rank drawn blindly.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from universal_memory.benchmarks.fusion import Group, random_groups
from universal_memory.benchmarks.recall import Advance, Filed, filed, fused, judged
from universal_memory.runtime.anatomy import Rank, dissected
from universal_memory.runtime.answer import COMPILED, Hit, Prepared
from universal_memory.runtime.answerer import Answerer
from universal_memory.space.semantic_space import SemanticSpace

MAX_TOKENS = 24


def tracing(
    answerer: Answerer,
    counts: Sequence[int],
    questions: int,
    split: str = "held_out",
    seed: int = 20261122,
    advance: Advance = lambda stage, done, total: None,
) -> list[dict[str, Any]]:
    """A row for each number of files that are on; shares of the questions that got an answer."""
    groups = random_groups(questions, max(counts), split, seed)
    files = filed(answerer, [text for group in groups for text in group.texts])
    rows = []
    for size in counts:
        seen = []
        for done, group in enumerate(groups, 1):
            on = [files[text] for text in group.texts[:size]]
            seen += _looked_at(answerer, group, on)
            advance(f"{size} files", done, len(groups))
        right = [one for one in seen if one["exact"]]
        rows.append(
            {
                "files": size,
                "questions": len(seen),
                **{name: _mean(seen, name) for name in seen[0]},
                "right_word_of_exact": _mean(right, "right_word"),
            }
        )
    return rows


def _looked_at(answerer: Answerer, group: Group, on: Sequence[Filed]) -> list[dict[str, float]]:
    """One entry, none where nothing was said. The first of the files is the right one."""
    hits = tuple(Hit(file.id, 1.0, 1.0, 0) for file in on)
    prompt = answerer.language_model.prompt_ids(group.question)
    ready = Prepared(prompt, fused(answerer.renderer, on), COMPILED, hits)
    answer, anatomy = dissected(answerer, ready, MAX_TOKENS)
    if anatomy is None:
        return []
    begin = {first_piece(answerer.space, text) for text in group.answers}
    own = on[0].id

    def right(rank: Rank) -> bool:
        return rank.memory_id == own and rank.piece.lower() in begin

    top = anatomy.firings(1, token=0)[0].rank
    return [
        {
            "exact": judged(answer, [group.answers]).exact,
            "right_file": top.memory_id == own,
            "right_file_by_chance": fmean(rank.memory_id == own for rank in anatomy.ranks),
            "right_word": right(top),
            "right_word_by_chance": fmean(map(right, anatomy.ranks)),
        }
    ]


def first_piece(space: SemanticSpace, text: str) -> str:
    """The word piece that a text begins with, in lower case."""
    return space.tower.codes.pieces[space.tower.token_ids(text)[0]]


def _mean(seen: Sequence[dict[str, float]], name: str) -> float | None:
    return fmean(float(one[name]) for one in seen) if seen else None
