"""The slot reader: it reads what was seated, word for word, before any training."""

from __future__ import annotations

import pytest
import torch

from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.slot_reader import SlotReader
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
