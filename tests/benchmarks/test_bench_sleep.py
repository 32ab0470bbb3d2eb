"""Recall before and after sleep: what is merged, what is asked, and how it is counted."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from sleepers import Sleeper

from universal_memory.benchmarks import sleep as module
from universal_memory.benchmarks.sleep import BEFORE, EXACT, JOINED, LEARNED, samples_of, sleep
from universal_memory.memory.store import MemoryStore
from universal_memory.runtime.answer import COMPILED, Hit, Prepared
from universal_memory.space.text_tower import TextTower

SPLIT, SEED, FILES = "new_combinations", 3, 8


@pytest.fixture(scope="module")
def sleeper(tower: TextTower) -> Sleeper:
    return Sleeper.of(tower)


@pytest.fixture
def answerer(sleeper: Sleeper, store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> Any:
    """It finds the file that holds the pieces of a fact, and knows what stands alone in a part."""
    samples = samples_of(FILES, SPLIT, SEED)
    facts = {sample.facts[0].questions[0].text: sample for sample in samples}
    tokens = sleeper.space.tower.token_ids

    def parts(memory_id: str) -> list[list[int]]:
        usv = torch.from_numpy(store.get(memory_id).usv[None].copy())
        return sleeper.space.reader(usv).parts()[0]

    def holds(memory_id: str, text: str) -> bool:
        flat = [piece for part in parts(memory_id) for piece in part]
        wanted = list(tokens(text))
        return any(
            flat[start : start + len(wanted)] == wanted for start in range(len(flat))
        )

    def prepare(
        question: str, *, min_relevance: float, among: Sequence[str] | None = None
    ) -> Prepared:
        assert min_relevance == 0.0
        sample = facts[question]
        ids = among or [one for one in store.ids() if holds(one, sample.text)]
        hits = tuple(Hit(one, 0.9, 1.0, 0) for one in ids[:1])
        knows = [list(tokens(sample.text)) in parts(hit.id) for hit in hits]
        answer = sample.facts[0].questions[0].answers[0] if any(knows) else "no idea"
        return Prepared([answer], None, COMPILED, hits, 1.0, 2.0, 3.0)  # type: ignore[list-item]

    monkeypatch.setattr(module, "decode", lambda _, ready, most: [one.prompt[0] for one in ready])
    monkeypatch.setattr(module, "_whole", lambda found, question: found.prepare(
        question, min_relevance=0.0
    ))  # fmt: skip
    return SimpleNamespace(
        store=store,
        space=sleeper.space,
        passport_encoder=sleeper.passports,
        index=SimpleNamespace(synchronise=lambda given: True),
        language_model=None,
        prepare=prepare,
    )


def test_every_state_is_asked_the_same_and_left_as_it_was(answerer: Any, sleeper: Sleeper) -> None:
    merger = sleeper.consolidator(answerer.store).merger
    told: list[tuple[str, int, int]] = []
    found = sleep(
        answerer, {EXACT: merger, LEARNED: merger}, FILES, 4, SPLIT, SEED, 3,
        lambda *what: told.append(what),
    )  # fmt: skip
    rows = {(row["state"], row["mode"]): row for row in found["rows"]}
    assert list(rows) == [
        (BEFORE, "memory"), (BEFORE, "shuffled"), (EXACT, "memory"), (EXACT, "whole"),
        (EXACT, "shuffled"), (LEARNED, "memory"), (JOINED, "memory"),
    ]  # fmt: skip
    before, after = rows[BEFORE, "memory"], rows[LEARNED, "memory"]
    assert (before["files"], before["exact_match"], before["merge_ms"]) == (FILES, 1.0, None)
    assert after["files"] == FILES - sum(size - 1 for size in found["groups"]) < FILES
    assert after["ratio"] == FILES / after["files"] and after["bytes"] < before["bytes"]
    assert after["exact_match"] == after["own_on"] == 1.0 and after["merge_ms"] > 0
    for state in (BEFORE, EXACT):
        row = rows[state, "shuffled"]
        assert row["exact_match"] == row["own_on"] == 0.0
    # The stand-in answers from parts, and the joined texts have one alone.
    assert rows[JOINED, "memory"]["exact_match"] < 1.0
    assert found["lost"][LEARNED] == 0.0 and found["lost"][JOINED] > 0
    assert (after["route_ms"], after["load_ms"], after["render_ms"]) == (1.0, 2.0, 3.0)
    assert len(answerer.store) == FILES and not answerer.store.merged.all()
    assert told[-1] == ("sleep", 4, 4)
    with pytest.raises(ValueError, match="give an empty one"):
        sleep(answerer, {}, FILES)
