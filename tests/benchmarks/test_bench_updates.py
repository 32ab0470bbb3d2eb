"""The updates benchmark: stories that change, and how their answers are counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from command_line import runner

from universal_memory.benchmarks import updates as bench
from universal_memory.benchmarks.updates import EARLIER, LATER, NEITHER, stories, updates
from universal_memory.memory.mark import Mark
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex
from universal_memory.training.contradictions import contradicts


@pytest.mark.parametrize("split", ["new_combinations", "held_out", "unseen_families"])
def test_stories_are_of_different_things(split: str) -> None:
    told, beside = stories(8, split, 5)
    assert (len(told), len(beside)) == (8, 16)
    for number, one in enumerate(told):
        assert contradicts(one.later, one.earlier)
        for other in told[number + 1 :]:
            assert not contradicts(one.later, other.later)
    assert stories(8, split, 5)[0] == told


def test_what_an_answer_tells() -> None:
    story = stories(1, "held_out", 5)[0][0]
    later, earlier = story.answers[LATER][0], story.answers[EARLIER][0]
    assert [story.heard(one) for one in (f"The {later}.", earlier, "?")] == [
        LATER, EARLIER, NEITHER,
    ]  # fmt: skip


def test_too_few_things_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "TRIES", 0)
    with pytest.raises(ValueError, match="ask for fewer"):
        stories(3, "held_out", 5)


@dataclass
class Marking:
    """Marks the pairs that it was told to."""

    store: MemoryStore
    why: str = ""
    pairs: list[tuple[str, str]] = field(default_factory=list)

    def mark(self, memory_ids: list[str]) -> None:
        told = [Mark(one, other, 0.9) for one, other in self.pairs if other in memory_ids]
        self.store.marks.add(told)


def test_shares_with_and_without_marks(
    answerer: Any, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answerer that says the earlier value unless that file is marked."""
    told, _ = stories(4, "held_out", 9)
    by_question = {one.question: one for one in told}
    files: dict[str, Any] = {}
    answerer.index, answerer.succession = PassportIndex(), Marking(store)
    real = bench.stored

    def stored(*given: Any) -> dict[str, Any]:
        files.update(real(*given))
        pairs = [(files[one.earlier.text].id, files[one.later.text].id) for one in told]
        answerer.succession.pairs = pairs[:3]
        return files

    def answers(_: Any, questions: list[str], *rest: Any) -> list[str]:
        if len(rest) > 2:
            return ["?"] * len(questions)
        marked = store.marks.by_superseded()
        return [
            story.answers[LATER if files[story.earlier.text].id in marked else EARLIER][0]
            for story in map(by_question.__getitem__, questions)
        ]

    monkeypatch.setattr(bench, "stored", stored)
    monkeypatch.setattr(bench, "_answers", answers)
    monkeypatch.setattr(bench, "_both_found", lambda _, story, __: story != told[3])
    figures = updates(answerer, 4, "held_out", 9)
    rows = {row["kind"]: row for row in figures["rows"]}
    assert rows["without marks"][EARLIER] == 1.0
    assert rows["with marks"][LATER] == 0.75
    assert rows["with marks, both found"] == {
        "kind": "with marks, both found", "questions": 3, LATER: 1.0, EARLIER: 0.0, NEITHER: 0.0,
    }  # fmt: skip
    assert rows["files of another story"][NEITHER] == 1.0
    assert (figures["marked"], figures["both_found"], figures["wrong_marks"]) == (0.75, 0.75, 0)
    assert figures["files"] == 16 and figures["compared"] > 0


def test_splits_are_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    result = runner(capsys, joined=True)("bench", "updates", "--split", ",")
    assert result.code == 2 and "give names of splits" in result.err
