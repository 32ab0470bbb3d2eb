"""Training as a robot answers: the words that are asked for are open, the others nearly shut."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor

from universal_memory.routing.gates import WordGates
from universal_memory.routing.pointer import Pointer
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.text_tower import TextTower
from universal_memory.training.batches import Batch, QuestionSample, Speller, collate
from universal_memory.training.pointed_gates import PointedGates

TEXTS = ["The red key is in the drawer.", "Anna drinks tea."]
QUESTIONS = [
    QuestionSample(0, "Where is the key?", "drawer"),
    QuestionSample(1, "What does Anna drink?", "tea"),
    QuestionSample(0, "Recall.", TEXTS[0], recited=True),
]
ON = torch.tensor([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])


class LastWord(Pointer):
    """Points at the word before the full stop, of the second text with less confidence."""

    def __init__(self) -> None:
        super().__init__(torch.zeros(30_522, 8), width=8, heads=1, blocks=1)

    def forward(self, questions: Tensor, memories: Tensor) -> Tensor:
        logits = torch.full(memories.shape, -9.0)
        for row, memory in enumerate(memories):
            length = int((memory >= 0).sum())
            logits[row, length - 2] = 9.0 if length > 6 else 0.0
        return logits


@pytest.fixture
def batch(language_model: LanguageModel, speller: Speller) -> Batch:
    return collate(TEXTS, QUESTIONS, ON, language_model, speller)


def test_words_are_open_as_the_gates_say_over_all_memories_that_are_on(
    batch: Batch, tower: TextTower
) -> None:
    found = PointedGates(LastWord(), tower, WordGates(shut=0.2))(batch, random.Random(0), 1.0)
    assert found.shape == (3, 2, 64)
    drawer = len(tower.token_ids(TEXTS[0])) - 2
    tea = len(tower.token_ids(TEXTS[1])) - 2
    assert float(found[0, 0, drawer]) == pytest.approx(1.0)
    assert float(found[0, 0, 0]) == pytest.approx(0.2, abs=1e-3)
    assert float(found[0, 1, tea]) == pytest.approx(0.2 + 0.8 * 0.5, abs=1e-3)
    # Alone, the less confident one is the best there is.
    assert float(found[1, 1, tea]) == pytest.approx(1.0)
    assert bool((found[1, 0] == 1.0).all())  # is not on
    assert bool((found[2] == 1.0).all())  # recites


def test_some_questions_find_every_word_open(batch: Batch, tower: TextTower) -> None:
    gates = PointedGates(LastWord(), tower)
    assert bool((gates(batch, random.Random(0), 0.0) == 1.0).all())
    drawn = [bool((gates(batch, random.Random(n), 0.5)[0] < 1).any()) for n in range(40)]
    assert 8 < sum(drawn) < 32
