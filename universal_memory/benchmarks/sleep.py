"""Sleep: recall before and after files of one fact were merged into fewer, in one run.

- `before`: a file a fact.
- `exact half`: as `ump memory consolidate` merges: pieces moved, what they mean together left out.
- `learned`: with the trained merger.
- `joined`: not a merge but the encoder's own file of the joined texts, which needs them; it has no
  parts, so all that is in it is put on.

Asked in `memory` mode (routed among all files), `whole` (of a routed merged file all parts are put
on, not those alone that are asked for) and `shuffled` (another file is given).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.benchmarks.recall import (
    Advance,
    Outcome,
    askable_families,
    containment,
    exact_match,
    judged,
)
from universal_memory.experience.clock import SECOND
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.record import Provenance
from universal_memory.rendering.fusion import fuse
from universal_memory.runtime.answer import Prepared
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.consolidation import Consolidator, Merger, Plan
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample, SubjectRegister
from universal_memory.training.evaluation.decoding import decode

MAX_TOKENS = 24
APART = 60 * SECOND  # between two texts
BEFORE, EXACT, LEARNED, JOINED = "before", "exact half", "learned", "joined"
MODES = {BEFORE: ("memory", "shuffled"), EXACT: ("memory", "whole", "shuffled")}


@dataclass(frozen=True)
class Joined:
    """The encoder's file of the joined texts; `texts`: by the bytes of the USVs of each."""

    space: SemanticSpace
    texts: dict[bytes, str]

    def merge(self, usv: NDArray[np.float32]) -> NDArray[np.float32]:
        """One USV of the texts that several are of."""
        return self.space.encode([" ".join(self.texts[one.tobytes()] for one in usv)])[0]


def sleep(
    answerer: Answerer,
    mergers: dict[str, Merger],
    files: int = 60,
    group: int = 4,
    split: str = "new_combinations",
    seed: int = 20261122,
    batch: int = 8,
    advance: Advance = lambda stage, done, total: None,
) -> dict[str, Any]:
    """A row for every state of the store and mode. The answerer's store must be empty.

    `mergers`: by the name of the state that they make; `joined` is made here. `group`: most files
    that become one. Raises ValueError for a store that is not empty.
    """
    store = answerer.store
    if len(store):
        raise ValueError(f"store {store.root} has {len(store)} files: give an empty one")
    samples = samples_of(files, split, seed)
    ids, texts = _remember(answerer, samples)
    consolidator = Consolidator(
        store, answerer.space, Joined(answerer.space, texts), answerer.passport_encoder
    )
    plan = consolidator.plan(group)
    states: dict[str, Merger | None] = {BEFORE: None, **mergers, JOINED: consolidator.merger}
    rows: list[dict[str, Any]] = []
    for place, (state, merger) in enumerate(states.items(), 1):
        milliseconds = _merge(consolidator, plan, merger)
        answerer.index.synchronise(store)
        here = store.ids()
        size = sum(store.path_of(one).stat().st_size for one in here)
        home = {original: one.id for one in store.merged.all() for original in one.originals}
        own = [home.get(one, one) for one in ids]
        for mode in MODES.get(state, ("memory",)):
            rows.append(
                {
                    "state": state,
                    "mode": mode,
                    "files": len(here),
                    "bytes": size,
                    "ratio": files / len(here),
                    "merge_ms": milliseconds,
                    **_asked(answerer, samples, own, mode, batch),
                }
            )
        store.merged.undo()
        advance("sleep", place, len(states))
    return {
        "rows": rows,
        "groups": sorted(len(several) for several in plan.groups),
        "left": plan.left,
        "lost": _lost(rows),
    }


def samples_of(count: int, split: str, seed: int) -> list[EpisodeSample]:
    """`count` texts of one fact; the question for each has one answer among all of them."""
    generator = EpisodeGenerator(seed, split, families=askable_families(split))
    register = SubjectRegister()
    return [generator.episode(1, register) for _ in range(count)]


def _remember(
    answerer: Answerer, samples: Sequence[EpisodeSample]
) -> tuple[list[str], dict[bytes, str]]:
    """A file of each text, and the texts by the bytes of their USVs."""
    ids, texts = [], {}
    for number, sample in enumerate(samples, 1):
        usv = answerer.space.encode([sample.text])
        passport = answerer.passport_encoder.passports(usv)[0]
        file = MemoryFile.create(usv[0], passport, answerer.space.space_id, number)
        stamp = number * APART
        ids.append(answerer.store.add(file, Provenance(stamp, stamp, stamp)))
        texts[file.usv.tobytes()] = sample.text
    return ids, texts


def _merge(consolidator: Consolidator, plan: Plan, merger: Merger | None) -> float | None:
    """Milliseconds that a merged file takes; None where nothing is merged."""
    if merger is None:
        return None
    consolidator.merger = merger
    started = time.perf_counter()
    written = consolidator.consolidate(plan)
    return 1000 * (time.perf_counter() - started) / max(1, len(written))


def _asked(
    answerer: Answerer,
    samples: Sequence[EpisodeSample],
    own: Sequence[str],
    mode: str,
    batch: int,
) -> dict[str, Any]:
    """Scores and p50 of every stage [ms]. `own`: id of the file that each question is about."""
    prepare: Callable[[int, str], Prepared] = {
        "memory": lambda row, question: answerer.prepare(question, min_relevance=0.0),
        "whole": lambda row, question: _whole(answerer, question),
        "shuffled": lambda row, question: answerer.prepare(
            question, min_relevance=0.0, among=[_other(own, row)]
        ),
    }[mode]
    outcomes: list[Outcome] = []
    found: list[bool] = []
    stages: list[tuple[float, float, float]] = []
    for start in range(0, len(samples), batch):
        questions = [sample.facts[0].questions[0] for sample in samples[start : start + batch]]
        ready = [prepare(row, one.text) for row, one in enumerate(questions, start)]
        answers = decode(answerer.language_model, ready, MAX_TOKENS)
        outcomes += [
            judged(text, [one.answers]) for text, one in zip(answers, questions, strict=True)
        ]
        for row, one in enumerate(ready, start):
            found.append(own[row] in {hit.id for hit in one.hits})
            stages.append((one.route_ms, one.load_ms, one.render_ms))
    route, load, render = np.percentile(stages, 50, axis=0).tolist()
    return {
        "questions": len(outcomes),
        "exact_match": exact_match(outcomes),
        "containment": containment(outcomes),
        "own_on": fmean(found),
        "route_ms": route,
        "load_ms": load,
        "render_ms": render,
    }


def _whole(answerer: Answerer, question: str) -> Prepared:
    """As `memory`, with all parts of the files that are on."""
    ready = answerer.prepare(question, min_relevance=0.0)
    if not ready.hits:
        return ready
    usvs = [torch.from_numpy(answerer.store.get(hit.id).usv.copy()) for hit in ready.hits]
    with torch.inference_mode():
        adapters = [answerer.renderer.render(usv) for usv in usvs]
        whole = fuse([answerer.renderer.manner(), *adapters], [1.0, *(h.gate for h in ready.hits)])
    return Prepared(ready.prompt, whole, ready.source, ready.hits)


def _other(own: Sequence[str], row: int) -> str:
    """A file that a question is not about."""
    turned = (own[(row + step) % len(own)] for step in range(len(own) // 2, len(own) + 1))
    return next((one for one in turned if one != own[row]), own[row])


def _lost(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Points of exact match in memory mode that every state loses against `before`."""
    memory = {row["state"]: 100 * row["exact_match"] for row in rows if row["mode"] == "memory"}
    return {state: memory[BEFORE] - score for state, score in memory.items() if state != BEFORE}
