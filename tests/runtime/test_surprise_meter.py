"""Surprise: momentum as Titans has it, who is among the most surprising, what counts when."""

from __future__ import annotations

import math

import pytest
from house import said
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.experience.buffered_event import BufferedEvent
from universal_memory.experience.episode import Episode
from universal_memory.runtime.surprise import Momentum, SurpriseMeter, most_surprising

SURPRISES = st.lists(st.floats(0, 3, allow_nan=False), max_size=30)
BUDGETS = st.floats(0.01, 1.0)


def episode(second: float, text: str, stream: str = "audio") -> Episode:
    return Episode((BufferedEvent(int(second), 0, said(second, text, stream)),))


class Told:
    """A predictor that finds numbers in texts, and a text it expects not surprising at all."""

    def __init__(self) -> None:
        self.expected: list[str] = []
        self.begun = 0

    def begin(self) -> None:
        self.begun += 1
        self.expected.clear()

    def surprise(self, text: str) -> float:
        return 0.0 if text in self.expected else float(text)

    def expect(self, text: str) -> None:
        self.expected.append(text)


def test_momentum_is_a_share_that_fades_with_the_pause() -> None:
    momentum = Momentum(0.5, decay_seconds=10.0)
    assert momentum.add(episode(0, "a"), 0.8) == 0.8
    second = momentum.add(episode(10, "b"), 0.1)
    assert second == pytest.approx(0.1 + 0.5 * math.exp(-1) * 0.8)
    third = momentum.add(episode(10, "c"), 0.2)
    assert third == pytest.approx(0.2 + 0.5 * second)
    assert momentum.carried(["audio"], 10_000 * 10**9) == pytest.approx(0.0)


def test_streams_have_their_own_momentum_and_a_clock_that_jumps_back_has_none() -> None:
    momentum = Momentum(0.5)
    momentum.add(episode(100, "a"), 1.0)
    assert momentum.add(episode(100, "b", "camera"), 0.25) == 0.25
    assert momentum.carried(["camera", "audio"], 100 * 10**9) == 0.5
    assert momentum.add(episode(3, "c"), 0.25) == 0.25


def test_without_momentum_a_surprise_is_over_at_once() -> None:
    momentum = Momentum(0.0)
    assert [momentum.add(episode(t, "a"), 0.5) for t in (1, 2, 3)] == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(("share", "decay"), [(-0.1, 1.0), (1.0, 1.0), (0.5, 0.0)])
def test_wrong_momentum_is_refused(share: float, decay: float) -> None:
    with pytest.raises(ValueError, match="give a momentum from 0"):
        Momentum(share, decay)


@pytest.mark.parametrize("budget", [0.0, -1.0, 1.01, math.nan])
def test_wrong_budget_is_refused(budget: float) -> None:
    with pytest.raises(ValueError, match="share to keep"):
        SurpriseMeter(Told(), budget)


@given(SURPRISES, BUDGETS)
def test_the_budget_is_kept_and_nobody_left_out_is_more_surprising(
    surprises: list[float], budget: float
) -> None:
    chosen = most_surprising(surprises, budget)
    assert len(chosen) == len(surprises)
    assert budget * len(surprises) - 1e-6 <= sum(chosen) < budget * len(surprises) + 1
    kept = [one for one, keep in zip(surprises, chosen, strict=True) if keep]
    left = [one for one, keep in zip(surprises, chosen, strict=True) if not keep]
    assert not kept or not left or min(kept) >= max(left)


@given(SURPRISES, SURPRISES, BUDGETS)
def test_a_larger_budget_keeps_what_a_smaller_one_does(
    surprises: list[float], past: list[float], budget: float
) -> None:
    smaller = most_surprising(surprises, budget / 2, past)
    larger = most_surprising(surprises, budget, past)
    assert all(more or not less for less, more in zip(smaller, larger, strict=True))
    assert all(most_surprising(surprises, 1.0, past))


def test_a_dull_minute_leaves_less_than_an_eventful_one() -> None:
    past = [0.5] * 10
    assert most_surprising([0.1, 0.2], 0.5, past) == [False, False]
    assert most_surprising([0.9, 0.8], 0.5, past) == [True, True]
    assert most_surprising([0.3] * 30, 0.1) == [True] * 3 + [False] * 27  # the earlier of equals


def test_what_was_said_before_in_the_same_compilation_is_known() -> None:
    meter = SurpriseMeter(Told(), 0.5)
    found = meter.measure([episode(1, "0.9"), episode(2, "0.9"), episode(3, "0.4")])
    assert [one.momentary for one in found] == [0.9, 0.0, 0.4]


def test_the_most_surprising_are_selected_in_order_and_momentum_counts() -> None:
    episodes = [episode(1, "0.2"), episode(2, "0.9"), episode(3, "0.1"), episode(4, "0.3")]
    kept, left_out = SurpriseMeter(Told(), 0.5).select(episodes)
    assert (kept, left_out) == ([episodes[1], episodes[3]], [episodes[0], episodes[2]])
    kept, _ = SurpriseMeter(Told(), 0.5, momentum=0.9).select(episodes)
    assert kept == [episodes[1], episodes[3]]
    kept, _ = SurpriseMeter(Told(), 0.75, momentum=0.9).select(episodes)
    assert kept == episodes[1:], "what follows the surprise is kept, what came before is not"


def test_what_was_selected_counts_once_it_is_settled() -> None:
    predictor = Told()
    meter = SurpriseMeter(predictor, 0.5, momentum=0.5)
    first = [episode(1, "0.9"), episode(2, "0.1")]
    tried = meter.select(first)
    assert meter.select(first) == tried, "a compilation that failed is tried again"
    meter.settle()
    meter.settle()
    assert predictor.begun == 2
    dull = meter.measure([episode(2, "0.0")])
    assert dull[0].total > 0, "the surprise goes on in the next compilation"
    assert meter.select([episode(500, "0.05")]) == ([], [episode(500, "0.05")])
    kept, _ = meter.select([episode(500, "0.95")])
    assert len(kept) == 1
