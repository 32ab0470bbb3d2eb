"""One evaluation: a file of episodes into a fresh store, every question in every mode."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.episode import MAX_EVENTS, EpisodeCutter
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.passport import PassportEncoder
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.compiler import Compiler
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.evaluation.dataset import (
    AskedQuestion,
    Dataset,
    compile_dataset,
    load_dataset,
)
from universal_memory.training.evaluation.decoding import decode
from universal_memory.training.evaluation.modes import Modes
from universal_memory.training.evaluation.scores import Score, score, summary

ALL_MODES = ("memory", "oracle", "shuffled", "none", "context", "rag", "manner")
Advance = Callable[[str, int, int], None]


def evaluate(
    path: Path,
    model: str,
    modes: Sequence[str] = ALL_MODES,
    top_k: int = 3,
    limit: int = 0,
    batch: int = 1,
    max_tokens: int = 40,
    max_events: int = MAX_EVENTS,
    advance: Advance = lambda mode, done, total: None,
    by: str = "",
    pointed: bool = True,
) -> dict[str, Any]:
    """Scores of every mode on the questions of `path` (the first `limit`, if positive).

    `pointed`: only the words that a question asks for are open; else every word is. `by`: a field
    of the file's questions; scores are then also given for each of its values.

    `batch` questions are decoded at once; the time of generation is then their share of it.
    `advance` is told (mode, done, total) after every question. Raises ValueError for an unknown
    mode, DatasetError for a bad file, FileNotFoundError for missing weights.
    """
    if unknown := sorted(set(modes) - set(ALL_MODES)):
        raise ValueError(f"unknown mode {', '.join(unknown)}; there are: {', '.join(ALL_MODES)}")
    dataset = load_dataset(path)
    with tempfile.TemporaryDirectory() as scratch, MemoryStore(Path(scratch)) as store:
        answerer = Answerer.load(store, model, pointed=pointed)
        files = compile_into(store, dataset, answerer.space, answerer.passport_encoder, max_events)
        answerer.index.synchronise(store)
        asked = Modes(dataset, files, answerer, top_k)
        rows, answers = ask(asked, modes, limit, batch, max_tokens, advance)
        stored = len(store)
    return {
        "file": path.name,
        "model": model,
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, {platform.system()}",
        "episodes": len(dataset.episodes),
        "memory_files": stored,
        "top_k": top_k,
        "batch": batch,
        "max_events": max_events,
        "pointed": pointed,
        "modes": rows,
        "by": _by(by, dataset.questions, answers, modes) if by else {},
        "answers": answers,
    }


def _by(
    field: str,
    questions: Sequence[AskedQuestion],
    answers: Sequence[dict[str, Any]],
    modes: Sequence[str],
) -> dict[str, dict[str, dict[str, float]]]:
    """Summaries for every value of a field of the questions: by value, then by mode."""
    groups: dict[str, list[int]] = {}
    for place in range(len(answers)):
        groups.setdefault(questions[place].labels.get(field, ""), []).append(place)
    return {
        value: {
            mode: summary(
                [score(answers[place][mode], questions[place].answers, 0, {}) for place in places]
            )
            for mode in modes
        }
        for value, places in sorted(groups.items())
    }


def compile_into(
    store: MemoryStore,
    dataset: Dataset,
    space: SemanticSpace,
    passports: PassportEncoder,
    max_events: int = MAX_EVENTS,
) -> list[list[str]]:
    """Compile all episodes the way a robot does, without a language model; the ids of each."""
    cutter = EpisodeCutter(count=space.tower.count, max_events=max_events)
    with RollingBuffer(store.root / "buffer.sqlite", max_seconds=float(10**9)) as buffer:
        return compile_dataset(dataset, Compiler(space, passports, store, buffer, cutter), buffer)


def ask(
    asked: Modes,
    modes: Sequence[str],
    limit: int,
    batch: int,
    max_tokens: int,
    advance: Advance = lambda mode, done, total: None,
) -> tuple[dict[str, dict[str, float]], list[dict[str, Any]]]:
    """Summaries of the scores in every mode, and all answers."""
    questions = asked.dataset.questions[: limit or None]
    model = asked.answerer.language_model
    rows: dict[str, dict[str, float]] = {}
    answers: list[dict[str, Any]] = [
        {"q": question.text, "speaker": question.speaker, "accepted": list(question.answers)}
        for question in questions
    ]
    for name in modes:
        scores: list[Score] = []
        for start in range(0, len(questions), batch):
            part = questions[start : start + batch]
            prepared = [asked.by_name[name](question) for question in part]
            started = time.perf_counter()
            texts = decode(model, prepared, max_tokens)
            generate_ms = 1000 * (time.perf_counter() - started) / len(part)
            for place, (question, ready, text) in enumerate(
                zip(part, prepared, texts, strict=True), start
            ):
                stages = {
                    "route": ready.route_ms,
                    "load": ready.load_ms,
                    "render": ready.render_ms,
                    "generate": generate_ms,
                }
                scores.append(score(text, question.answers, len(ready.prompt), stages))
                answers[place][name] = text
            advance(name, start + len(part), len(questions))
        rows[name] = summary(scores)
    return rows, answers
