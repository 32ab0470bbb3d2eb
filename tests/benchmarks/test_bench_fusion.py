"""Recall against the number of fused files: what is on, what is asked, and how it is counted."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from stand_ins import Knowing, mark

from universal_memory.benchmarks.fusion import Group, fusion, near_duplicates, random_groups
from universal_memory.benchmarks.pairs import CLAUSES, pairs
from universal_memory.benchmarks.recall import filed, fused, judged
from universal_memory.benchmarks.two_files import BOTH, EACH, GATED, ONE, OWN, TWO, two_files
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.corpora.families import FAMILIES, HELD_OUT_FAMILIES

SPLIT, SEED = "new_combinations", 3


def test_groups_are_a_question_its_text_and_other_texts() -> None:
    for make in (random_groups, near_duplicates):
        groups = make(5, 4, SPLIT, SEED)
        assert groups == make(5, 4, SPLIT, SEED)
        assert len(groups) == 5
        for group in groups:
            assert len(set(group.texts)) == 4
            assert any(answer in group.texts[0] for answer in group.answers)
    assert random_groups(2, 6, SPLIT, SEED)[1].texts[0] != random_groups(2, 6, SPLIT, 4)[1].texts[0]


def test_a_pair_is_two_facts_about_one_person_and_a_question_for_both() -> None:
    assert not CLAUSES.keys() - (FAMILIES.keys() - HELD_OUT_FAMILIES)
    for split in (SPLIT, "held_out"):
        for pair in pairs(60, split, SEED):
            for text, answers in zip(pair.texts, pair.answers, strict=True):
                assert answers[0].lower() in text.lower()
                assert answers[0].lower() not in pair.both.lower()
            assert " and " in pair.both and pair.both.endswith("?")
            assert "{" not in pair.both + "".join(pair.texts + pair.questions)
    assert pairs(3, SPLIT, SEED) == pairs(3, SPLIT, SEED) != pairs(3, SPLIT, SEED + 1)


def test_all_that_is_asked_for_must_be_contained_and_only_one_value_can_be_exact() -> None:
    wanted = (("Rome",), ("tea", "black tea"))
    both = judged("In Rome, black tea.", wanted)
    assert (both.exact, both.contained) == (False, True)
    assert not judged("Rome", wanted).contained
    assert judged("The Rome!", wanted[:1]).exact


def test_fused_is_the_manner_and_every_file(answerer: Any) -> None:
    files = filed(answerer, ["one.", "two.", "one."])
    assert list(files) == ["one.", "two."] and len(answerer.store) == 2
    adapter = fused(answerer.renderer, list(files.values()))
    parts = [answerer.renderer.render(torch.from_numpy(file.usv)).rank for file in files.values()]
    assert adapter.rank == 1 + sum(parts)


def test_the_curve_counts_what_a_model_loses_by_too_many_files(
    answerer: Any, knowing: Knowing
) -> None:
    made = (random_groups, near_duplicates)
    groups: list[Group] = [group for make in made for group in make(6, 4, SPLIT, SEED)]
    by_question = {group.question: group for group in groups}
    known = {mark(text): text for group in groups for text in group.texts}

    def rule(question: str, on: set[float]) -> str:
        group, texts = by_question.get(question), {known[one] for one in on & known.keys()}
        if group is None:
            return ""  # of the pairs
        # It knows what is on, up to two files.
        return group.answers[0] if group.texts[0] in texts and len(texts) < 3 else "well, ..."

    knowing.rule = rule
    told: list[tuple[str, int, int]] = []
    found = fusion(
        answerer, [2, 4], 6, SPLIT, SEED, batch=4, advance=lambda *what: told.append(what)
    )
    rows = {(row["kind"], row["gates"], row["files"]): row for row in found["files"]}
    assert len(rows) == len(found["files"]) == 2 * 2 * 3
    for kind in ("random", "near-duplicate"):
        scores = [rows[kind, "given", files]["exact_match"] for files in (1, 2, 4)]
        assert scores == [1.0, 1.0, 0.0]
        assert [rows[kind, "given", files]["ratio"] for files in (1, 2, 4)] == [1.0, 1.0, 0.0]
        assert rows[kind, "given", 4]["files_on"] == 4.0
        assert 0 < rows[kind, "given", 4]["ms_p50"] <= rows[kind, "given", 4]["ms_p95"]
        # The stand-in router leaves the right one of the four on.
        routed = rows[kind, "gated", 4]
        assert (routed["exact_match"], routed["files_on"], routed["own_on"]) == (1.0, 1.0, 1.0)
        assert "ms_p50" not in routed
    assert {row["questions"] for row in found["files"]} == {6}
    assert found["corpus_files"] == len(answerer.store)
    assert told[-1] == ("two files", 7, 7)


def test_ratios_of_nothing_are_none(answerer: Any) -> None:
    found = fusion(answerer, [2], 2, SPLIT, SEED)
    assert {row["ratio"] for row in found["files"]} == {None}


def test_two_facts_are_asked_for_at_once_and_one_by_one(answerer: Any, knowing: Knowing) -> None:
    asked = pairs(5, SPLIT, SEED)
    single = {
        question: (text, answers[0])
        for pair in asked
        for question, text, answers in zip(pair.questions, pair.texts, pair.answers, strict=True)
    }
    both = {pair.both: pair for pair in asked}

    def rule(question: str, on: set[float]) -> str:
        if question in single:  # known from the file of the fact alone
            text, answer = single[question]
            return answer if mark(text) in on else "no idea"
        pair = both[question]
        facts = zip(pair.texts, pair.answers, strict=True)
        if mark(" ".join(pair.texts)) in on:
            return " and ".join(answers[0] for answers in pair.answers)
        return " and ".join(answers[0] for text, answers in facts if mark(text) in on)

    knowing.rule = rule
    rows = {(row["asked"], row["on"]): row for row in two_files(answerer, asked, batch=3)}
    assert {where: row["containment"] for where, row in rows.items()} == {
        (BOTH, ONE): 1.0, (BOTH, TWO): 1.0,
        (BOTH, GATED): 0.0,  # the stand-in router leaves only one on
        (EACH, ONE): 0.0, (EACH, TWO): 1.0, (EACH, GATED): 0.5, (EACH, OWN): 1.0,
    }  # fmt: skip
    assert rows[BOTH, TWO]["exact_match"] is None and rows[EACH, OWN]["exact_match"] == 1.0
    assert (rows[BOTH, TWO]["questions"], rows[EACH, OWN]["questions"]) == (5, 10)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_real_decoder_answers_the_same_whatever_the_batch(tiny_answerer: Any, batch: int) -> None:
    def without_times(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in row.items() if not k.startswith("ms_")} for row in rows]

    found = fusion(tiny_answerer, [2], 2, SPLIT, SEED, batch=batch)
    again = fusion(tiny_answerer, [1, 2], 2, SPLIT, SEED, batch=2)
    assert without_times(found["files"]) == without_times(again["files"])
    assert found["two_files"] == again["two_files"]


def test_too_many_near_duplicates_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EpisodeGenerator, "group", lambda generator, size: [])
    with pytest.raises(ValueError, match="no 1 groups of 4"):
        near_duplicates(1, 4, SPLIT, SEED)
