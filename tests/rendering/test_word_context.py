"""Seats in context: nothing before training, and nothing of empty seats or other memories ever."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from universal_memory.rendering.word_context import WordContext

TOKEN_WIDTH = 12


@pytest.fixture
def context() -> WordContext:
    torch.manual_seed(0)
    return WordContext(TOKEN_WIDTH).eval().requires_grad_(False)


def seem_trained(context: WordContext) -> None:
    """No map is at zero any more."""
    for parameter in context.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)


def given(memories: int = 2, seats: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(1)
    taken = torch.ones(memories, seats, dtype=torch.bool)
    taken[0, 4:] = False
    return (
        torch.randn(memories, seats, 256, generator=drawn),
        torch.randn(memories, seats, TOKEN_WIDTH, generator=drawn),
        taken,
    )


def test_untrained_adds_nothing(context: WordContext) -> None:
    seats, tokens, taken = given()
    assert torch.equal(context(seats, tokens, taken), seats)


def test_words_around_count_and_empty_seats_do_not(context: WordContext) -> None:
    seem_trained(context)
    seats, tokens, taken = given()
    before = context(seats, tokens, taken)
    changed = tokens.clone()
    changed[0, 2] += 1.0
    after = context(seats, changed, taken)
    assert ((after - before)[0, :4].abs().amax(1) > 1e-3).all()
    assert torch.equal(before[0, 4:], seats[0, 4:])
    torch.testing.assert_close(after[1], before[1])
    changed = tokens.clone()
    changed[0, 5] += 1.0
    torch.testing.assert_close(context(seats, changed, taken), before)


def test_order_counts(context: WordContext) -> None:
    seem_trained(context)
    seats, tokens, taken = given(1)
    taken[:] = True
    there = context(seats, tokens, taken)
    back = context(seats.flip(1), tokens.flip(1), taken).flip(1)
    assert (there - back).abs().max() > 1e-2


def test_a_memory_of_nothing_is_left_as_it_is(context: WordContext) -> None:
    seem_trained(context)
    seats, tokens, taken = given()
    taken[0] = False
    found = context(seats, tokens, taken)
    assert torch.equal(found[0], seats[0])
    assert found.isfinite().all()
