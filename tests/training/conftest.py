"""A text tower small enough to train over, which training may change."""

from __future__ import annotations

import copy

import pytest

from universal_memory.space.text_tower import TextTower


@pytest.fixture
def small_tower(tower: TextTower) -> TextTower:
    """A copy of the text tower with its first block only."""
    small = copy.copy(tower)
    small.model = copy.deepcopy(tower.model)
    small.model.encoder.layer = small.model.encoder.layer[:1]
    return small
