"""The table answers a single question as the encoder does, but for rounding."""

from __future__ import annotations

import pytest
import torch

from universal_memory.routing.pieces import Lists
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.question_table import QuestionTable

PIECES = 3000  # more than are made at once


@pytest.fixture(scope="module")
def encoder() -> QuestionEncoder:
    torch.manual_seed(0)
    encoder = QuestionEncoder(PIECES).requires_grad_(False)
    encoder.emphasis.normal_()
    encoder.pieces.table[7] = 0.0
    return encoder


@pytest.fixture(scope="module")
def table(encoder: QuestionEncoder) -> QuestionTable:
    return QuestionTable(encoder)


@pytest.mark.parametrize("pieces", [[5], [7], [5, 2999], [1, 2, 3, 2, 1], [*range(2000, 2064)]])
def test_as_the_encoder(encoder: QuestionEncoder, table: QuestionTable, pieces: list[int]) -> None:
    seen, point = table(pieces)
    expected = encoder.pieces(Lists.of([pieces]))
    torch.testing.assert_close(seen.words, expected.words, atol=0.03, rtol=0.01)
    torch.testing.assert_close(seen.pairs, expected.pairs, atol=0.03, rtol=0.01)
    for name in ("word_of", "pair_of", "left"):
        assert torch.equal(getattr(seen, name), getattr(expected, name))
    assert torch.equal(seen.lists.ids, expected.lists.ids)
    assert torch.equal(seen.lists.owners(), expected.lists.owners())
    assert point.shape == (1, 1024)
    torch.testing.assert_close(point.norm(), torch.tensor(1.0))
    assert float(point[0] @ encoder.points(expected)[0]) > 0.9995


def test_later_training_does_not_show(encoder: QuestionEncoder) -> None:
    table = QuestionTable(encoder)
    before = table([1, 2, 3])[1]
    kept = encoder.emphasis.clone(), encoder.head.linear.bias.clone()
    encoder.emphasis += torch.randn(PIECES)
    encoder.head.linear.bias += 1.0
    assert torch.equal(table([1, 2, 3])[1], before)
    encoder.emphasis.copy_(kept[0])
    encoder.head.linear.bias.copy_(kept[1])
