"""What is told later counts: marks by geometry and time, and who answers then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from house import House

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.mark import Mark
from universal_memory.memory.record import Provenance
from universal_memory.memory.signing import Signer
from universal_memory.memory.trust import TrustStore
from universal_memory.memory.window import Window
from universal_memory.routing.index import PassportIndex
from universal_memory.runtime.succession import BEHIND, Succession, superseded

OLD, NEW = "Anna said: the keys are in the hall.", "Anna said: the keys are in the attic."
OTHER = "Sign reads: pharmacy room 12."
QUESTION = "Where are the keys?"


class Told:
    """A judge that finds every pair contradictory in which both hold a word piece, and notes it."""

    threshold = 0.5

    def __init__(self, piece: int | None) -> None:
        self.piece = piece
        self.pairs: list[tuple[list[int], list[int]]] = []

    def probabilities(
        self, later: Sequence[list[int]], earlier: Sequence[list[int]]
    ) -> list[float]:
        self.pairs += zip(later, earlier, strict=True)
        return [
            0.9 if self.piece is None or (self.piece in one and self.piece in other) else 0.1
            for one, other in zip(later, earlier, strict=True)
        ]


def succession(house: House, judge: Any = None, index: PassportIndex | None = None) -> Succession:
    told: Any = judge or Told(None)
    return Succession(
        told, house.answerer.space, house.store, index or house.answerer.index
    )


def marked(house: House) -> list[tuple[str, str]]:
    return [(mark.superseded, mark.superseding) for mark in house.store.marks.all()]


def imported(
    house: House, signer: Signer | None, number: int, like: str | None = None
) -> str:
    """A memory of another robot, of the same vectors as memory `like` but for a little."""
    random = np.random.default_rng(number)
    if like is not None:
        own = house.store.get(like)
        usv, passport = own.usv * np.float32(1.001), own.passport.copy()
    else:
        usv = random.normal(size=(16, 256)).astype(np.float32)
        passport = random.normal(size=1024).astype(np.float32)
    file = MemoryFile.create(
        usv, passport / np.linalg.norm(passport), house.answerer.space.space_id, number,
        signer=signer,
    )  # fmt: skip
    memory_id = house.store.add(file, Provenance(source="b", imported=True))
    house.answerer.index.add([memory_id], file.passport[None])
    return memory_id


def test_what_is_compiled_later_supersedes_what_is_near(house: House) -> None:
    house.compiler.succession = succession(house, index=PassportIndex())
    old, new = house.remember(OLD, NEW)
    assert marked(house) == [(old, new)]
    assert house.store.marks.all()[0].stamp == house.store.record(new).provenance.end_stamp  # type: ignore[union-attr]
    (third,) = house.remember(OTHER)
    assert set(marked(house)) == {(old, new), (old, third), (new, third)}


def test_the_network_sees_the_later_one_first_and_its_threshold_counts(house: House) -> None:
    old, new = house.remember(OLD, NEW)
    judge = Told(-5)
    assert succession(house, judge).mark([old]) == []  # compared, and not contradictory
    reader = house.answerer.space.reader
    read = [succession(house)._readings([one])[0] for one in (new, old)]
    assert judge.pairs == [tuple(read)]
    assert reader is house.answerer.space.reader


def test_time_of_the_experience_counts_before_the_order_of_compilation(house: House) -> None:
    (late,) = house.remember(NEW)
    record = house.store.record(late)
    assert record is not None
    file = house.store.get(late)
    early = MemoryFile.create(
        file.usv * np.float32(1.001), file.passport, file.space_id, house.store.next_counter()
    )
    house.store.add(early, Provenance(start_stamp=1, end_stamp=1))
    house.answerer.index.synchronise(house.store)
    succession(house).mark([early.id])
    assert marked(house) == [(early.id, late)]


def test_without_stamps_the_counter_tells(house: House) -> None:
    files = []
    for number in (5, 4):
        random = np.random.default_rng(number)
        passport = random.normal(size=1024)
        files.append(
            MemoryFile.create(
                random.normal(size=(16, 256)), passport / np.linalg.norm(passport),
                house.answerer.space.space_id, number,
            )
        )  # fmt: skip
        house.store.add(files[-1], Provenance())
    house.answerer.index.synchronise(house.store)
    succession(house).mark([one.id for one in files])
    assert marked(house) == [(files[1].id, files[0].id)]


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_an_import_supersedes_only_if_its_maker_is_trusted(
    house: House, signed: bool, trusted: bool, tmp_path: Path
) -> None:
    (own,) = house.remember(OLD)
    signer = Signer.generate()
    if trusted:
        signer.save(tmp_path / "robot")
        TrustStore.of(house.store.root).add(tmp_path / "robot.pub")
    other = imported(house, signer if signed else None, 9)
    marks = succession(house).mark([other])
    assert marked(house) == ([(own, other)] if signed and trusted else [])
    assert len(marks) == len(marked(house))
    (newer,) = house.remember(NEW)  # what the robot lives itself supersedes imports, too
    succession(house).mark([newer])
    assert (other, newer) in marked(house)


def test_all_anew_leaves_alone_what_no_clock_tells_apart(house: House) -> None:
    old, new = house.remember(OLD, NEW)
    imported(house, None, 9)
    succession(house).mark_all()
    assert marked(house) == [(old, new)]


def test_without_a_judge_nothing_is_marked_and_it_says_why(house: House, tmp_path: Path) -> None:
    absent = Succession.load(
        house.answerer.space, house.store, house.answerer.index, tmp_path / "no models"
    )
    old, new = house.remember(OLD, NEW)
    assert absent.judge is None and "remedy" in absent.why
    empty = PassportIndex()
    assert Succession.load(house.answerer.space, house.store, empty, tmp_path).index is empty
    assert absent.mark([old, new]) == [] and marked(house) == []


def test_the_newer_one_stands_in_if_it_is_as_relevant() -> None:
    logits = {"a": 2.0, "b": 1.0, "c": 2.0 - BEHIND - 0.1}
    assert superseded(logits, {"a": {"b"}}) == {"a"}
    assert superseded(logits, {"a": {"c"}}) == set()  # it does not answer this question
    assert superseded(logits, {"a": {"d"}}) == set()  # it is not there
    assert superseded(logits, {"a": {"b"}, "b": {"a"}}) == set()  # both stay
    assert superseded(logits, {"d": {"a"}}) == set()


def hits(house: House, **options: Any) -> list[str]:
    return [hit.id for hit in house.answerer.answer(QUESTION, max_tokens=1, **options).hits]


def test_what_is_superseded_gives_way(house: House) -> None:
    old, new = house.remember(OLD, NEW)
    house.lead(QUESTION, old, new)
    assert hits(house) == [old, new]
    house.store.marks.add([Mark(old, new, 0.9)])
    assert hits(house) == [new]
    prepare = house.answerer.prepare
    assert [hit.id for hit in prepare(QUESTION, among=[old, new]).hits] == [new]
    assert [hit.id for hit in prepare(QUESTION, among=[old]).hits] == [old]


def test_forgetting_the_newer_one_makes_the_other_count_again(house: House) -> None:
    old, new = house.remember(OLD, NEW)
    house.lead(QUESTION, old, new)
    house.store.marks.add([Mark(old, new, 0.9)])
    assert hits(house) == [new]
    house.store.forget(new)
    assert hits(house) == [old]
    assert house.store.marks.all() == []


def test_an_old_one_that_is_found_leads_to_the_newest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, middle, new = house.remember(OLD, OTHER, NEW)
    house.lead(QUESTION, new, old)
    house.store.marks.add([Mark(old, middle, 0.9), Mark(middle, new, 0.9)])
    found = house.answerer.index.shortlist
    monkeypatch.setattr(
        house.answerer.index,
        "shortlist",
        lambda *given: [one for one in found(*given) if one[0] == old],
    )
    assert hits(house) == [new]


def test_in_a_window_of_the_past_the_old_one_answers(house: House) -> None:
    old, new = house.remember(OLD, NEW)
    house.lead(QUESTION, old, new)
    house.store.marks.add([Mark(old, new, 0.9)])
    record = house.store.record(old)
    assert record is not None
    assert hits(house, window=Window(before=record.provenance.end_stamp)) == [old]


def test_a_question_that_the_newer_one_does_not_answer_keeps_the_old_one(house: House) -> None:
    old, new = house.remember(OLD, OTHER)
    house.lead(QUESTION, old)
    house.store.marks.add([Mark(old, new, 0.9)])  # a mark that is wrong
    assert hits(house) == [old]
