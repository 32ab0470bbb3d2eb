"""Gates: one for the best and its equals, falling with the log-odds, nothing below a threshold."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from universal_memory.routing.gates import Gates, WordGates

gates = Gates()
LOGITS = st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=8)


def test_nothing_gets_no_gate() -> None:
    assert gates([]) == []


def test_the_best_gets_one_whatever_its_level() -> None:
    assert gates([-3.0]) == gates([40.0]) == [1.0]


def test_a_second_relevant_memory_does_not_weaken_the_first() -> None:
    assert gates([4.0, 4.0, 4.0]) == [1.0, 1.0, 1.0]


def test_gate_falls_with_the_log_odds_then_drops() -> None:
    first, near, half, far = Gates(8.0, 1.0, 0.3)([5.0, 3.0, -3.0, -9.0])
    assert first == 1.0
    assert near == pytest.approx(1.0, abs=0.01)
    assert half == pytest.approx(0.5, abs=0.01)
    assert far == 0.0


def test_threshold_is_inclusive() -> None:
    gate = Gates(drop_below=0.0)([8.0, 0.0])[1]
    assert Gates(drop_below=gate)([8.0, 0.0]) == [1.0, gate]


@given(LOGITS)
def test_gates_are_in_order_and_bounded(logits: list[float]) -> None:
    found = gates(logits)
    assert max(found) == 1.0
    assert all(gate == 0.0 or gates.drop_below <= gate <= 1.0 for gate in found)
    by_logit = [gate for _, gate in sorted(zip(logits, found, strict=True))]
    assert by_logit == sorted(by_logit)


@given(LOGITS, st.floats(-20, 20))
def test_only_differences_count(logits: list[float], shift: float) -> None:
    every = Gates(drop_below=0.0)
    moved = every([logit + shift for logit in logits])
    assert moved == pytest.approx(every(logits), rel=1e-6, abs=1e-12)


WORDS = st.lists(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=6), min_size=1, max_size=4)


def test_words_that_are_not_asked_for_are_nearly_shut() -> None:
    (first, second) = WordGates(shut=0.2)([[8.0, -8.0], [-8.0, 8.0, 0.0]])
    assert first == pytest.approx([1.0, 0.2], abs=1e-3)
    assert second == pytest.approx([0.2, 1.0, 0.6], abs=1e-3)


def test_where_no_word_is_asked_for_all_are_open() -> None:
    assert WordGates(unsure=0.3)([[-3.0, -4.0], [-9.0]]) == [[1.0, 1.0], [1.0]]
    assert WordGates()([]) == [] and WordGates()([[]]) == [[]]


@given(WORDS)
@example([[0.625]])  # rounding: over 1 once
def test_word_gates_are_bounded_and_in_order(logits: list[list[float]]) -> None:
    gating = WordGates()
    found = gating(logits)
    flat = [
        (logit, gate)
        for row, gates in zip(logits, found, strict=True)
        for logit, gate in zip(row, gates, strict=True)
    ]
    assert all(gating.shut <= gate <= 1.0 for _, gate in flat)
    assert max(gate for _, gate in flat) == 1.0
    by_logit = [gate for _, gate in sorted(flat)]
    assert by_logit == sorted(by_logit)
