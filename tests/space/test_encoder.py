"""The Universal Encoder: layer-normed slots, blind to padding, at home with words at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from universal_memory.space.encoder import UniversalEncoder
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


def test_every_slot_starts_at_its_own_part_of_the_text(encoder: UniversalEncoder) -> None:
    bias = encoder.blocks[0].cross._position_bias(full(1, 64))[0, 0]
    assert bias.argmax(1).tolist() == [pytest.approx(4 * slot + 1.5, abs=1) for slot in range(16)]


def test_word_start_is_the_principal_components() -> None:
    torch.manual_seed(0)
    encoder = UniversalEncoder(blocks=1)
    drawn = torch.Generator().manual_seed(1)
    words = torch.randn(600, 384, generator=drawn) * torch.linspace(0.1, 3, 384)
    projection = encoder.start_from_words(words)
    assert projection.shape == (256, 384)
    normed = torch.nn.functional.layer_norm(words, (384,))
    slots = (normed - normed.mean(0)) @ projection.T
    assert float(slots.var(0).mean()) == pytest.approx(1.0, abs=0.02)
    covariance = slots.T @ slots / len(slots)
    off_diagonal = covariance - torch.diag(covariance.diagonal())
    assert off_diagonal.abs().max() < 1e-2  # uncorrelated, the loudest first
    assert (covariance.diagonal().diff() <= 1e-3).all()
    cross = encoder.blocks[0].cross
    torch.testing.assert_close(cross.value.weight[:256, :384], projection)
    assert not cross.value.weight[:256, 384:].any()  # of words, not of the tower's last layer
    torch.testing.assert_close(cross.out.weight[:, :256], torch.eye(256))
