"""The pointer: a question finds the words of a memory that it asks for."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch.nn import functional as F

from universal_memory.routing.pointer import FAR, WEIGHTS, Pointer
from universal_memory.routing.question import MAX_PIECES
from universal_memory.routing.reranker import padded
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.weights import WeightsError, save_weights

QUESTIONS = [[2073, 2003, 9983], [2040]]
MEMORIES = [[9983, 2003, 1999, 7000, 5], [7000, 6]]


@pytest.fixture(scope="module")
def words() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(30_522, 32)


@pytest.fixture(scope="module")
def pointer(words: torch.Tensor) -> Pointer:
    torch.manual_seed(0)
    return Pointer(words, width=32, heads=2, blocks=2).eval().requires_grad_(False)


def test_padding_and_company_change_nothing(pointer: Pointer) -> None:
    both = pointer(padded(QUESTIONS), padded(MEMORIES))
    assert both.shape == (2, 5) and bool((both[1, 2:] == FAR).all())
    for row, (question, memory) in enumerate(zip(QUESTIONS, MEMORIES, strict=True)):
        alone = pointer(padded([question]), padded([memory]))
        torch.testing.assert_close(alone[0], both[row, : len(memory)], atol=1e-5, rtol=0)


def test_words_are_no_part_of_the_weights(pointer: Pointer, words: torch.Tensor) -> None:
    assert not any(words.shape[0] in one.shape for one in pointer.state_dict().values())


def test_a_question_meets_every_memory(pointer: Pointer) -> None:
    found = pointer.asked_for(QUESTIONS[0], MEMORIES)
    assert [len(row) for row in found] == [5, 2]
    alone = pointer(padded(QUESTIONS[:1]), padded(MEMORIES[:1]))[0]
    assert found[0] == pytest.approx(alone.tolist(), abs=1e-5)
    assert pointer.asked_for(QUESTIONS[0], []) == []


def test_what_is_too_long_is_not_looked_at(pointer: Pointer) -> None:
    (row,) = pointer.asked_for([7] * (MAX_PIECES + 9), [[*range(1000, 1100)]])
    assert len(row) == 64


def test_it_learns_to_find_what_stands_behind_the_name_asked_for(words: torch.Tensor) -> None:
    torch.manual_seed(1)
    pointer = Pointer(words, width=48, heads=4, blocks=2)
    optimizer = torch.optim.Adam(pointer.parameters(), lr=2e-3)

    def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        drawn = torch.randint(2000, 30_000, (96, 4))
        asked = torch.randint(0, 2, (96,))
        name = drawn.gather(1, 2 * asked.unsqueeze(1))
        return torch.cat([torch.full((96, 1), 2040), name], 1), drawn, 2 * asked + 1

    for _ in range(150):
        questions, memories, wanted = batch()
        loss = F.cross_entropy(pointer(questions, memories), wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    questions, memories, wanted = batch()
    right = pointer(questions, memories).argmax(1) == wanted
    assert float(right.float().mean()) > 0.9


def test_it_is_loaded_for_its_space_alone(tmp_path: Path, words: torch.Tensor) -> None:
    tower = SimpleNamespace(words=words)
    space = cast(SemanticSpace, cast(Any, SimpleNamespace(tower=tower, space_id="here")))
    with pytest.raises(FileNotFoundError, match="remedy"):
        Pointer.load(space, tmp_path)
    torch.manual_seed(2)
    saved = Pointer(words)
    save_weights(tmp_path / WEIGHTS, saved, {"space_id": "here"})
    loaded = Pointer.load(space, tmp_path)
    expected = saved.half().float().eval()(padded(QUESTIONS), padded(MEMORIES))
    found = loaded(padded(QUESTIONS), padded(MEMORIES))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    save_weights(tmp_path / WEIGHTS, saved, {"space_id": "elsewhere"})
    with pytest.raises(WeightsError, match="elsewhere"):
        Pointer.load(space, tmp_path)
