"""The slot reader: it reads what was seated, word for word, before any training."""

from __future__ import annotations

import pytest
import torch

from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.slot_reader import EMPTY, SlotReader, _signs
from universal_memory.space.text_tower import TextTower

TEXTS = ["Jaroslav said: my code is B27.", "The keys are behind the blue lamp. " * 4]


@pytest.fixture(scope="module")
def encoder() -> UniversalEncoder:
    torch.manual_seed(0)
    return UniversalEncoder(blocks=1).requires_grad_(False)


def test_reads_what_was_written(tower: TextTower, encoder: UniversalEncoder) -> None:
    reader = SlotReader(tower.codes.codes, encoder.seating)
    seen = tower(TEXTS)
    reading = reader(encoder(seen.states, seen.mask))
    for row in range(2):
        count = int(seen.mask[row].sum())
        assert reading.taken[row, :count].all()
        assert torch.equal(reading.pieces[row, :count], seen.ids[row, :count])
        assert torch.equal(reading.flags[row, :count], seen.flags[row, :count, 1:] > 0)


def test_blurred_codes_are_the_nearest_ones(tower: TextTower, encoder: UniversalEncoder) -> None:
    reader = SlotReader(tower.codes.codes, encoder.seating)
    drawn = torch.Generator().manual_seed(0)
    pieces = torch.randint(len(reader.codes), (500,), generator=drawn)
    codes = reader.codes[pieces]
    blurred = codes + 0.12 * torch.randn(codes.shape, generator=drawn)
    nearest = (blurred @ reader.codes.T).argmax(-1)
    found = reader._nearest(blurred)
    assert 0 < int((reader._keys[None] == _signs(blurred)[:, None]).any(1).sum()) < 500
    assert torch.equal(found, nearest)
    assert torch.equal(reader._nearest(codes), pieces)


def test_word_pieces_are_lists_in_order(tower: TextTower, encoder: UniversalEncoder) -> None:
    reader = SlotReader(tower.codes.codes, encoder.seating)
    seen = tower(TEXTS)
    read = reader.word_pieces(encoder(seen.states, seen.mask))
    for pieces, ids, mask in zip(read, seen.ids, seen.mask, strict=True):
        expected = ids[mask].tolist()  # an untrained reader reads on after the end
        assert pieces[: len(expected)] == expected
    quiet = SlotReader(tower.codes.codes, encoder.seating)
    quiet.flag_offset.data[0] = -1e6
    assert quiet.word_pieces(torch.zeros(2, 16, 256)) == [[EMPTY], [EMPTY]]


def test_loss_falls_where_reading_is_learned(tower: TextTower, encoder: UniversalEncoder) -> None:
    torch.manual_seed(1)
    reader = SlotReader(tower.codes.codes)  # of other seats: nothing can be read
    seen = tower(TEXTS)
    usv = encoder(seen.states, seen.mask)
    optimizer = torch.optim.Adam(reader.parameters(), lr=2e-2)
    losses = []
    for _ in range(30):
        loss = reader.loss(usv, seen.ids, seen.flags, seen.mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
