"""Gates: one for the best and its equals, falling with the log-odds, nothing below a threshold."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.routing.gates import DROP_BELOW, gates

LOGITS = st.lists(st.floats(-60, 60), min_size=1, max_size=8)


def test_nothing_gets_no_gate() -> None:
    assert gates([]) == []


def test_the_best_gets_one_whatever_its_level() -> None:
    assert gates([-3.0]) == gates([40.0]) == [1.0]


def test_a_second_relevant_memory_does_not_weaken_the_first() -> None:
    assert gates([4.0, 4.0, 4.0]) == [1.0, 1.0, 1.0]


def test_gate_falls_with_the_log_odds_then_drops() -> None:
    first, second, third = gates([5.0, 4.0, 0.0], temperature=2.0, drop_below=0.3)
    assert first == 1.0
    assert second == pytest.approx(math.exp(-0.5))
    assert third == 0.0


def test_threshold_is_inclusive() -> None:
    gate = math.exp(-1.0)
    assert gates([2.0, 0.0], temperature=2.0, drop_below=gate) == [1.0, gate]


@given(LOGITS)
def test_gates_are_in_order_and_bounded(logits: list[float]) -> None:
    found = gates(logits)
    assert max(found) == 1.0
    assert all(gate == 0.0 or DROP_BELOW <= gate <= 1.0 for gate in found)
    by_logit = [gate for _, gate in sorted(zip(logits, found, strict=True))]
    assert by_logit == sorted(by_logit)


@given(LOGITS, st.floats(-20, 20))
def test_only_differences_count(logits: list[float], shift: float) -> None:
    moved = gates([logit + shift for logit in logits], drop_below=0.0)
    assert moved == pytest.approx(gates(logits, drop_below=0.0), rel=1e-6, abs=1e-12)
