"""The same memory files, answered from by several language models.

Files are compiled once, by an encoder that has seen none of the models, or only the first; then
every model answers from those very files through its own renderer. What a model recalls is given
beside what the first one does, and beside its own controls on the same questions: another
episode's file on, nothing, and the text, given or retrieved, in the prompt.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from universal_memory.benchmarks.fusion import fusion
from universal_memory.benchmarks.recall import Advance
from universal_memory.benchmarks.two_files import EACH, GATED
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.router import Router
from universal_memory.runtime.answer import BASE
from universal_memory.runtime.answerer import Answerer
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.corpora.evaluation import write_evaluation
from universal_memory.training.evaluation.dataset import Dataset, load_dataset
from universal_memory.training.evaluation.modes import Modes
from universal_memory.training.evaluation.run import ask, compile_into

RECALL = ("oracle", "memory")
CONTROLS = ("shuffled", "none", "context", "rag")
SHORT, LONG = 24, 40  # most tokens of an answer
BESIDE = 4  # files beside the right one
UNKNOWN = "unknown: left to the base model"


@dataclass(frozen=True)
class Column:
    """A held-out set: which recipe, how many facts an episode, and the score that counts."""

    name: str
    recipe: str
    facts: int
    score: str = "exact_match"


COLUMNS = (
    Column("trained words, 1 fact", "new_combinations", 1),
    Column("trained words, 3 facts", "new_combinations", 3),
    Column("unseen words, 1 fact", "held_out", 1),
    Column("unseen words, 3 facts", "held_out", 3),
    Column("unseen families", "unseen_families", 1),
    Column("prose, a word left out", "cloze", 1),
    Column("answers of 6-15 words, F1", "long", 1, "f1"),
)


@dataclass(frozen=True)
class CompiledSet:
    """A column's episodes in a store. `files`: ids by episode. `foreign`: of no file here."""

    column: Column
    dataset: Dataset
    store: MemoryStore
    files: list[list[str]]
    foreign: tuple[str, ...]


def portability(
    models: Sequence[str],
    questions: int,
    fused_questions: int,
    batch: int = 8,
    seed: int = 20261122,
    columns: Sequence[Column] = COLUMNS,
    controls: Sequence[str] = CONTROLS,
    advance: Advance = lambda stage, done, total: None,
) -> dict[str, Any]:
    """Rows of scores by model and mode, with the ratio to the first model; and what was read.

    `questions`: of every set, `fused_questions`: of every kind of fusion. Raises ValueError for a
    model named twice or an unknown control, and what `Answerer.load` raises for one without a
    renderer.
    """
    if not controls or not set(controls) <= set(CONTROLS):
        given = ", ".join(controls) or "none"
        raise ValueError(f"controls {given}: give one or more of {', '.join(CONTROLS)}")
    if len(set(models)) < len(models):
        raise ValueError(f"models {', '.join(models)}: name each once")
    space = SemanticSpace.load()
    passports = PassportEncoder.load(space, pieces=Router.load(space).encoder.pieces)
    with ExitStack() as opened:
        scratch = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        sets = []
        for number, column in enumerate(columns):
            store = opened.enter_context(MemoryStore(scratch / str(number)))
            sets.append(_compiled(column, store, space, passports, questions, seed))
            advance("compiling", number + 1, len(columns))
        ids = sorted(file for one in sets for files in one.files for file in files)
        rows: dict[str, dict[str, dict[str, float]]] = {}
        for model in models:
            fused = opened.enter_context(MemoryStore(scratch / f"fused {len(rows)}"))
            rows[model] = _answered(
                model, sets, controls, fused, fused_questions, batch, seed, advance
            )
    return {
        "models": list(models),
        "space_id": space.space_id,
        "files": len(ids),
        "files_digest": hashlib.sha256("".join(ids).encode()).hexdigest(),
        "questions": questions,
        "fused_questions": fused_questions,
        "seed": seed,
        "rows": [_row(name, models, rows) for name in rows[models[0]]],
    }


def _compiled(
    column: Column,
    store: MemoryStore,
    space: SemanticSpace,
    passports: PassportEncoder,
    questions: int,
    seed: int,
) -> CompiledSet:
    episodes = -(-questions // column.facts)
    path = store.root / "set.jsonl"
    write_evaluation(path, seed + 1, episodes, column.facts, column.recipe)
    foreign = tuple(question.text for question in load_dataset(path).questions)
    write_evaluation(path, seed, episodes, column.facts, column.recipe)
    dataset = load_dataset(path)
    known = {question.text for question in dataset.questions}
    files = compile_into(store, dataset, space, passports, max_events=1)
    return CompiledSet(
        column, dataset, store, files, tuple(text for text in foreign if text not in known)
    )


def _answered(
    model: str,
    sets: Sequence[CompiledSet],
    controls: Sequence[str],
    fused: MemoryStore,
    fused_questions: int,
    batch: int,
    seed: int,
    advance: Advance,
) -> dict[str, dict[str, float]]:
    """Scores of one model by row and mode."""
    first = Answerer.load(fused, model)
    found: dict[str, dict[str, float]] = {}
    for number, one in enumerate(sets):
        answerer = over(first, one.store)
        limit = SHORT if one.column.score == "exact_match" else LONG
        asked = Modes(one.dataset, one.files, answerer)
        scores, _ = ask(asked, (*RECALL, *controls), 0, batch, limit)
        found[one.column.name] = {mode: row[one.column.score] for mode, row in scores.items()}
        # A model that reads answers in sentences, which are never exact.
        found[one.column.name] |= {
            contained(mode): scores[mode]["containment"] for mode in controls
        }
        if number == 0:
            left = [answerer.prepare(question).source == BASE for question in one.foreign]
            found[UNKNOWN] = {"memory": sum(left) / len(left)}
        advance(model, number + 1, len(sets) + 1)
    found |= _fused(first, fused_questions, batch, seed)
    advance(model, len(sets) + 1, len(sets) + 1)
    return found


def contained(mode: str) -> str:
    """What the share of answers that contain an accepted one is called, beside the score."""
    return f"{mode}_contained"


def _fused(
    answerer: Answerer, questions: int, batch: int, seed: int
) -> dict[str, dict[str, float]]:
    """Recall with other files on beside the right one, and of answers that need two."""
    figures = fusion(answerer, [1 + BESIDE], questions, seed=seed, batch=batch)
    found = {
        f"1 + {BESIDE} {row['kind']}": {"memory": float(row["exact_match"])}
        for row in figures["files"]
        if row["files"] == 1 + BESIDE and row["gates"] == "gated"
    }
    [two] = [row for row in figures["two_files"] if (row["asked"], row["on"]) == (EACH, GATED)]
    return found | {"two files of one person": {"memory": float(two["exact_match"])}}


def over(answerer: Answerer, store: MemoryStore) -> Answerer:
    """The same parts over another store."""
    return Answerer(
        answerer.language_model,
        answerer.renderer,
        answerer.space,
        answerer.passport_encoder,
        answerer.router,
        store,
        PassportIndex.open(store),
        pointer=answerer.pointer,
    )


def _row(
    name: str, models: Sequence[str], rows: dict[str, dict[str, dict[str, float]]]
) -> dict[str, Any]:
    reference = rows[models[0]][name]
    return {
        "set": name,
        "scores": {model: rows[model][name] for model in models},
        "ratios": {
            model: {
                mode: rows[model][name][mode] / value
                for mode, value in reference.items()
                if mode in RECALL and value
            }
            for model in models[1:]
        },
    }
