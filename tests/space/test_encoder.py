"""The Universal Encoder: layer-normed slots, blind to padding, every word piece in its seat."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.piece_codes import MARK_WIDTH
from universal_memory.space.text_tower import CONTEXT_WIDTH


@pytest.fixture(scope="module")
def encoder() -> UniversalEncoder:
    torch.manual_seed(0)
    return UniversalEncoder(blocks=2).eval().requires_grad_(False)


def states(batch: int, pieces: int, seed: int = 0) -> Tensor:
    return torch.randn(batch, pieces, CONTEXT_WIDTH, generator=torch.Generator().manual_seed(seed))


def full(batch: int, pieces: int) -> Tensor:
    return torch.ones(batch, pieces, dtype=torch.bool)


@pytest.mark.parametrize("pieces", [1, 16, 126])
def test_slots_are_layer_normed(encoder: UniversalEncoder, pieces: int) -> None:
    usv = encoder(states(2, pieces), full(2, pieces))
    assert (usv.shape, usv.dtype) == ((2, 16, 256), torch.float32)
    torch.testing.assert_close(usv.norm(dim=-1), torch.full((2, 16), 16.0), atol=1e-2, rtol=0)
    torch.testing.assert_close(usv.mean(-1), torch.zeros(2, 16), atol=1e-5, rtol=0)


def test_padding_changes_nothing(encoder: UniversalEncoder) -> None:
    text = states(1, 7)
    padded = torch.cat([text, 100 * states(1, 20, seed=1)], dim=1)
    mask = torch.arange(27).unsqueeze(0) < 7
    torch.testing.assert_close(
        encoder(padded, mask), encoder(text, full(1, 7)), atol=1e-4, rtol=1e-4
    )


def test_texts_differ_in_every_slot(encoder: UniversalEncoder) -> None:
    first, second = encoder(states(2, 12), full(2, 12))
    assert ((first - second).norm(dim=-1) > 1.0).all()


def test_order_of_the_words_matters(encoder: UniversalEncoder) -> None:
    text = states(1, 12)
    straight, turned = encoder(torch.cat([text, text.flip(1)]), full(2, 12))
    assert (straight - turned).norm() > 1.0


def test_a_seat_carries_its_mark_whole(encoder: UniversalEncoder) -> None:
    text = states(1, 40)
    slots = encoder.seating(text, full(1, 40))
    for piece in (0, 15, 16, 39):
        seat, slot = divmod(piece, 16)
        read = encoder.seating.marks[seat] @ slots[0, slot]
        torch.testing.assert_close(read, text[0, piece, -MARK_WIDTH:], atol=1e-4, rtol=0)


def test_there_are_sixty_four_seats(encoder: UniversalEncoder) -> None:
    text = states(1, 70)
    other = text.clone()
    other[:, 64:] = 0
    torch.testing.assert_close(
        encoder.seating(text, full(1, 70)), encoder.seating(other, full(1, 70))
    )
    assert (encoder(text, full(1, 70)) - encoder(other, full(1, 70))).norm() > 0  # seen, unseated
