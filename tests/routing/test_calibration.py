"""Calibration: evidence for one memory counts for less the more there is for its rivals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.routing.calibration import NO_RIVAL, Calibration, rivals

EVIDENCE = st.lists(st.floats(-30, 30), min_size=1, max_size=8)


def test_rivals_are_all_others_and_a_floor() -> None:
    found = rivals(np.array([2.0, -1.0]))
    assert found == pytest.approx([np.logaddexp(-1.0, NO_RIVAL), np.logaddexp(2.0, NO_RIVAL)])
    assert rivals(np.array([5.0])) == pytest.approx([NO_RIVAL])
    assert len(rivals(np.array([]))) == 0


@given(EVIDENCE)
def test_order_stays_what_it_is(evidence: list[float]) -> None:
    found = Calibration(0.7, 0.3, -1.0)(evidence)
    assert (np.diff(found[np.argsort(evidence)]) >= -1e-9).all()


@given(EVIDENCE, st.floats(-30, 30))
def test_another_rival_makes_no_memory_more_relevant(evidence: list[float], more: float) -> None:
    calibration = Calibration(0.7, 0.3, -1.0)
    alone, contested = calibration(evidence), calibration([*evidence, more])
    assert (contested[: len(evidence)] <= alone + 1e-9).all()


def test_without_rivalry_it_is_a_line() -> None:
    assert Calibration(2.0, 0.0, 1.0)([3.0, -3.0]) == pytest.approx([7.0, -5.0])
