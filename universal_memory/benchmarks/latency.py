"""Milliseconds of every stage of a query, and of reading the same amount as text instead."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.store import MemoryStore
from universal_memory.rendering.adapter import attach
from universal_memory.rendering.fusion import fuse
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.router import LOOKED_AT, SHORTLIST
from universal_memory.runtime.answerer import Answerer

QUESTION = "Where did Anna leave the blue umbrella?"
EPISODE = "Anna said: I left the blue umbrella in the pantry."
TEXT_TOKENS = (128, 640)


def latency(model: str, files: int, repeats: int) -> dict[str, tuple[float, float]]:
    """(p50, p95) in milliseconds of every stage, with `files` random passports in the index."""
    with tempfile.TemporaryDirectory() as scratch, MemoryStore(Path(scratch)) as store:
        answerer = Answerer.load(store, model)
        usv = answerer.space.encode([EPISODE])
        passport = answerer.passport_encoder.passports(usv)[0]
        memory_id = store.add(MemoryFile.create(usv[0], passport, answerer.space.space_id, 0))
        index = filled_index(files)
        language_model, renderer = answerer.language_model, answerer.renderer
        asked = answerer.router.ask(QUESTION)
        near = index.shortlist(asked.vector, SHORTLIST)
        slots = torch.from_numpy(usv[0])
        several = slots.expand(LOOKED_AT, -1, -1)
        pieces = answerer.space.reader.word_pieces(slots.unsqueeze(0))[0]
        prompt = language_model.prompt_ids(QUESTION)
        filler = language_model.tokenizer.encode(EPISODE * 60, add_special_tokens=False)
        adapter = fuse([renderer.manner(), renderer.render(slots)])

        def first_token(tokens: list[int]) -> None:
            with attach(language_model.model, language_model.architecture, adapter):
                language_model.generate([tokens], 1)

        stages: dict[str, Callable[[], object]] = {
            "encode one episode": lambda: answerer.space.encode([EPISODE]),
            "question to passport space": lambda: answerer.router.ask(QUESTION),
            f"index search, {files} files": lambda: index.shortlist(asked.vector, SHORTLIST),
            f"relevance of {SHORTLIST} files": lambda: answerer.router.rank(
                asked, near, lambda files: [pieces] * len(files)
            ),
            "load and verify a file": lambda: store.get(memory_id),
            f"read {LOOKED_AT} loaded files": lambda: answerer.space.reader.word_pieces(several),
            "render a file": lambda: renderer.render(slots),
            "first token, question only, one memory on": lambda: first_token(prompt),
        }
        for length in TEXT_TOKENS:
            tokens = [*filler[:length], *prompt]
            name = f"first token, {length} tokens of text before the question"
            stages[name] = partial(language_model.generate, [tokens], 1)
        return interleaved(stages, repeats)


def filled_index(files: int) -> PassportIndex:
    """An index of `files` random passports."""
    index = PassportIndex()
    random = np.random.default_rng(0)
    for start in range(0, files, 4096):
        count = min(4096, files - start)
        vectors = random.standard_normal((count, index.dimensions), dtype=np.float32)
        index.add([f"{start + place:064x}" for place in range(count)], vectors)
    return index


def interleaved(
    stages: dict[str, Callable[[], object]], repeats: int
) -> dict[str, tuple[float, float]]:
    """Time the stages in turn, so that a busy neighbour slows all of them alike."""
    times: dict[str, list[float]] = {name: [] for name in stages}
    for turn in range(repeats + 1):
        for name, run in stages.items():
            started = time.perf_counter()
            run()
            if turn:  # the first turn warms up
                times[name].append(1000 * (time.perf_counter() - started))
    return {
        name: (float(np.percentile(row, 50)), float(np.percentile(row, 95)))
        for name, row in times.items()
    }
