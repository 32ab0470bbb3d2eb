"""A text tower small enough to train over, which training may change."""

from __future__ import annotations

import copy

import pytest
from torch import Tensor

from universal_memory.space.text_tower import TextTower
from universal_memory.training.batches import Speller


@pytest.fixture
def small_tower(tower: TextTower) -> TextTower:
    """A copy of the text tower with its first block only."""
    small = copy.copy(tower)
    small.model = copy.deepcopy(tower.model)
    small.model.encoder.layer = small.model.encoder.layer[:1]
    return small


@pytest.fixture
def speller(tower: TextTower, tokens: Tensor) -> Speller:
    """Answers in the tiny model's tokens."""
    return Speller(tower, tokens)
