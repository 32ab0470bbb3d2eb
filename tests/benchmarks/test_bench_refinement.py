"""Refinement: questions made from the text alone, and steps that lower their loss."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tiny_models import assert_untouched, parameters_of
from torch import Tensor

from universal_memory.benchmarks.refinement import made_questions, refined
from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower

TEXT = "Mira keeps the keys in the attic."


@pytest.fixture
def answerer(tower: TextTower, language_model: LanguageModel, tokens: Tensor) -> Any:
    torch.manual_seed(0)
    space = SemanticSpace(tower, UniversalEncoder(blocks=1), "test-space")
    renderer = Renderer(
        RendererConfig.for_architecture(language_model.architecture, "test-space"),
        space.reader,
        TokenEmbeddings(language_model.model),
        tokens,
    )
    renderer.word_gain.data.fill_(0.2)
    renderer.requires_grad_(False)
    return SimpleNamespace(language_model=language_model, renderer=renderer, space=space)


def test_questions_are_made_of_the_text_alone() -> None:
    recall, *blanks = made_questions(TEXT)
    assert recall.answer == TEXT and recall.recited
    assert {one.answer for one in blanks} == {"Mira", "keeps", "keys", "attic"}
    assert all(one.question.count("____") == 1 for one in blanks)
    assert made_questions(TEXT) == made_questions(TEXT)


def test_steps_move_the_slots_and_leave_everything_else(answerer: Any) -> None:
    usv = torch.from_numpy(answerer.space.encode([TEXT])[0].copy())
    model = parameters_of(answerer.language_model.model)
    renderer = parameters_of(answerer.renderer)
    assert torch.equal(refined(answerer, TEXT, usv, 0, 0.02), usv)
    moved = refined(answerer, TEXT, usv, 3, 0.02)
    assert 0 < (moved - usv).norm() < 0.2 * usv.norm()
    torch.testing.assert_close(moved.norm(dim=-1), torch.full((16,), 16.0), atol=1e-2, rtol=0)
    assert_untouched(answerer.language_model.model, model)
    assert_untouched(answerer.renderer, renderer)
