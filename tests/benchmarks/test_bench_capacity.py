"""Capacity: facts a file, what of them the tower saw, and the knee."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from stand_ins import Knowing, mark

from universal_memory.benchmarks.capacity import capacity, episodes_of, facts_within, knee
from universal_memory.training.corpora import EpisodeSample, Fact

SPLIT, SEED = "new_combinations", 3


@pytest.mark.parametrize(
    ("curve", "wanted"),
    [
        ([(1, 1.0), (2, 0.95), (4, 0.9), (8, 0.4)], 4),
        ([(8, 0.5), (1, 0.5)], 8),
        ([(1, 0.8), (2, 0.5)], 1),
        ([(1, 0.0), (2, 0.1)], None),
    ],
)
def test_knee_is_the_most_facts_with_nine_tenths_of_one(
    curve: list[tuple[int, float]], wanted: int | None
) -> None:
    assert knee(curve) == wanted


def test_episodes_hold_all_their_facts_however_long() -> None:
    samples = episodes_of(12, 3, SPLIT, SEED)
    assert [len(sample.facts) for sample in samples] == [12, 12, 12]
    assert samples == episodes_of(12, 3, SPLIT, SEED)
    for sample in samples:
        assert sample.text == " ".join(fact.statement for fact in sample.facts)


def test_facts_within_end_before_the_last_word_piece() -> None:
    sample = EpisodeSample(
        "a b c. d e f. g.", tuple(Fact("", s, ()) for s in ("a b c.", "d e f.", "g."))
    )
    tower: Any = SimpleNamespace(count=lambda text: len(text.split()))
    assert [facts_within(tower, sample, most) for most in (2, 3, 5, 6, 7, 100)] == [
        0,
        1,
        1,
        2,
        3,
        3,
    ]


def test_the_curve_counts_recall_and_what_the_tower_could_not_see(
    answerer: Any, knowing: Knowing
) -> None:
    samples = {size: episodes_of(size, 4, SPLIT, SEED) for size in (1, 3, 20)}
    # The same fact may stand in a short and in a long episode.
    known = {
        (fact.questions[0].text, mark(sample.text)): (fact.questions[0].answers[0], size)
        for size, part in samples.items()
        for sample in part
        for fact in sample.facts
    }

    def rule(question: str, on: set[float]) -> str:
        (place,) = {place for place in on if (question, place) in known}
        answer, size = known[question, place]
        return answer if size < 20 else ""

    knowing.rule = rule
    found = capacity(answerer, [3, 20], 4, questions=10, split=SPLIT, seed=SEED, batch=3)
    rows = {row["facts"]: row for row in found["rows"]}
    assert [row["questions"] for row in rows.values()] == [4, 10, 10]
    assert [row["exact_match"] for row in rows.values()] == [1.0, 1.0, 0.0]
    assert [row["exact_match_whole"] for row in rows.values()] == [1.0, 1.0, 0.0]
    assert (found["knee"], found["max_word_pieces"]) == (3, 64)
    assert 2.0 < rows[3]["facts_within"] <= 3.0 and rows[20]["facts_within"] < 20
    assert rows[20]["word_pieces_most"] >= rows[20]["word_pieces"] > 64
    assert rows[3]["recalled_per_kilobyte"] == pytest.approx(3 / rows[3]["kilobytes"])
    assert 20 < rows[3]["kilobytes"] < 22


def test_a_real_decoder_answers_the_same_again(tiny_answerer: Any) -> None:
    found, again = (capacity(tiny_answerer, [2], 2, split=SPLIT, seed=SEED) for _ in range(2))
    assert found == again
    assert found["rows"][1]["questions"] == 4
