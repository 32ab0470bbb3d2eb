"""Merging moves every word piece, in order and as written, and keeps the parts apart."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.merging import (
    PLACES,
    WEIGHTS,
    MergeError,
    SeatMerger,
    SlotMerger,
    seats_needed,
)
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.slot_reader import EMPTY, Reading
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import WeightsError, save_weights

TEXTS = ["Jaroslav said: my code is B27.", "The NASA keys are here.", "It rains."]
PIECES = st.lists(st.integers(1, 30_521), min_size=1, max_size=30)


def space_of(tower: TextTower, blocks: int) -> SemanticSpace:
    torch.manual_seed(0)
    return SemanticSpace(tower, UniversalEncoder(blocks), "test-space")


@pytest.fixture(scope="module")
def space(tower: TextTower) -> SemanticSpace:
    return space_of(tower, 0)


@pytest.fixture(scope="module")
def merger(space: SemanticSpace) -> SlotMerger:
    torch.manual_seed(1)
    merger = SlotMerger(space).eval().requires_grad_(False)
    merger.out.weight.normal_(std=0.1)  # it says something
    return merger


def memories(space: SemanticSpace, lists: list[list[int]]) -> torch.Tensor:
    """USVs that hold lists of word pieces, whatever they say."""
    codes = space.tower.codes
    rows = []
    for pieces in lists:
        flags = torch.ones(1, len(pieces), 4)
        flags[..., 1:] = 2.0 * (torch.tensor(pieces)[:, None] % torch.tensor([2, 3, 5]) == 0) - 1.0
        words = torch.zeros(1, len(pieces), 768)
        states = torch.cat([words, codes.marks(torch.tensor([pieces]), flags)], dim=-1)
        rows.append(space.encoder(states, torch.ones(1, len(pieces), dtype=torch.bool))[0])
    return torch.stack(rows)


@settings(max_examples=25)
@given(lists=st.lists(PIECES, min_size=1, max_size=4))
def test_every_piece_is_read_back_in_its_part_and_place(
    space: SemanticSpace, merger: SlotMerger, lists: list[list[int]]
) -> None:
    usvs = memories(space, lists)
    if seats_needed([len(pieces) for pieces in lists]) > PLACES:
        with pytest.raises(MergeError, match="64; remedy: merge fewer"):
            merger.merge(usvs.numpy())
        return
    merged = torch.from_numpy(merger.merge(usvs.numpy()))[None]
    reading = space.reader(merged)
    assert reading.parts() == [lists]
    before = space.reader(usvs)
    assert torch.equal(reading.flags[0][reading.taken[0]], before.flags[before.taken])
    torch.testing.assert_close(merged.norm(dim=-1), torch.full((1, 16), 16.0), atol=1e-2, rtol=0)


def test_texts_are_merged_without_being_there(space: SemanticSpace, merger: SlotMerger) -> None:
    usvs = space.encode(TEXTS)
    merged = merger.merge(usvs)
    wanted = [list(space.tower.token_ids(text)) for text in TEXTS]
    assert space.reader(torch.from_numpy(merged)[None]).parts() == [wanted]
    again = merger.merge(usvs[::-1].copy())
    assert space.reader(torch.from_numpy(again)[None]).parts() == [wanted[::-1]]
    assert (merger.merge(usvs) == merged).all()


def test_what_was_merged_can_be_merged_again(space: SemanticSpace, merger: SlotMerger) -> None:
    usvs = space.encode(TEXTS)
    pair = merger.merge(usvs[:2])
    whole = merger.merge(torch.stack([torch.from_numpy(pair), torch.from_numpy(usvs[2])]).numpy())
    assert len(space.reader(torch.from_numpy(whole)[None]).parts()[0]) == 3


def test_an_encoder_that_blurs_the_seats_is_set_right(tower: TextTower) -> None:
    blurring = space_of(tower, 2)
    with torch.no_grad():
        for name, weight in blurring.encoder.blocks.named_parameters():
            if name.endswith("mlp.3.weight"):
                weight.normal_(std=0.1)
    lists = [[2000, 3000, 4000], [5000, 6001]]
    merger = SlotMerger(blurring).eval()
    states, mask = torch.zeros(6, 816), torch.tensor([1, 1, 1, 0, 1, 1]).bool()
    ids = torch.tensor([[2000, 3000, 4000, 0, 5000, 6001]])
    states[:, 768:] = tower.codes.marks(ids, torch.ones(1, 6, 4)) * mask[:, None]
    raw = blurring.encoder(states[None], mask[None])
    assert blurring.reader(raw).parts() != [lists]
    clean = merger._cleaned(raw[0], states[:, 768:])
    assert blurring.reader(clean[None]).parts() == [lists]
    assert F.cosine_similarity(clean, raw[0]).mean() > 0.5


def test_what_cannot_be_read_is_refused(space: SemanticSpace) -> None:
    deaf = SlotMerger(space).eval()
    reader = space.reader
    gain = reader.flag_gain.data.clone()
    usvs = space.encode(TEXTS[:2])
    try:
        reader.flag_gain.data[1] = 0.0  # reads no capital ever, wherever one was written
        reader.flag_offset.data[1] = 1.0
        with pytest.raises(MergeError, match="cannot be read"):
            deaf._cleaned(torch.from_numpy(usvs[0]), -torch.ones(3, 48))
    finally:
        reader.flag_gain.data.copy_(gain)
        reader.flag_offset.data[1] = 0.0


def test_parts_are_apart_by_empty_seats() -> None:
    taken = torch.tensor([[1, 1, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0]]).bool()
    pieces = torch.arange(18).view(3, 6)
    reading = Reading(pieces, torch.zeros(3, 6, 3, dtype=torch.bool), taken)
    assert reading.part_numbers()[0].tolist() == [0, 0, -1, 1, -1, -1]
    assert reading.parts() == [[[0, 1], [3]], [[EMPTY]], [[12, 13, 14]]]
    assert reading[1:].parts() == reading.parts()[1:]


def test_a_part_is_meant_by_itself(space: SemanticSpace, merger: SlotMerger) -> None:
    """Its states do not depend on what it is merged with."""
    usvs = torch.from_numpy(space.encode(TEXTS))
    reading = space.reader(usvs)
    alone = merger(usvs[:1], reading[:1])
    beside = merger(usvs, reading)[:1]
    torch.testing.assert_close(beside, alone, atol=1e-4, rtol=1e-4)
    untrained = SlotMerger(space)
    assert not untrained(usvs, reading)[..., 384:768].any()
    exact = SeatMerger(space)
    torch.testing.assert_close(untrained.states(usvs, reading), exact.states(usvs, reading))


def test_weights_of_another_space_are_refused(space: SemanticSpace, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="remedy"):
        SlotMerger.load(space, tmp_path)
    save_weights(tmp_path / WEIGHTS, SlotMerger(space), {"space_id": "another"})
    with pytest.raises(WeightsError, match="another"):
        SlotMerger.load(space, tmp_path)
    save_weights(tmp_path / WEIGHTS, SlotMerger(space), {"space_id": space.space_id})
    assert not SlotMerger.load(space, tmp_path).training
