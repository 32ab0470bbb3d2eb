"""Views of texts through frozen models."""

from __future__ import annotations

import pytest
import torch

from universal_memory.runtime.language_model import LanguageModel, ModelNotFoundError
from universal_memory.space.text_tower import TextTower
from universal_memory.training.views import ModelView, TowerView, open_views

TEXTS = ["The keys are in the hall.", "Mira likes tea.", "The box is in the attic, by the door."]


def test_language_model_sees_every_text_alone(language_model: LanguageModel) -> None:
    view = ModelView(language_model)
    seen = view(TEXTS)
    assert seen.shape == (3, view.width) and seen.dtype == torch.float32
    assert not seen.requires_grad
    for row, text in zip(seen, TEXTS, strict=True):
        torch.testing.assert_close(row, view([text])[0], atol=2e-2, rtol=0)
    assert (seen[0] - seen[1]).abs().max() > 0.1


def test_no_block_above_the_middle_is_run(language_model: LanguageModel) -> None:
    view = ModelView(language_model)
    blocks = language_model.model.model.layers
    run: list[int] = []
    for number, block in enumerate(blocks):
        block.register_forward_hook(lambda *_, number=number: run.append(number))
    view(TEXTS)
    assert run == [0, 1] and len(blocks) == 4


def test_views_are_opened_by_name_and_models_shared(
    small_tower: TextTower, language_model: LanguageModel
) -> None:
    tower, model = open_views(["minilm", language_model.name], small_tower, [language_model])
    assert isinstance(tower, TowerView) and isinstance(model, ModelView)
    assert (tower.name, model.name) == ("minilm", language_model.name)
    assert model._model is language_model
    assert tower(TEXTS).shape == (3, tower.width) == (3, 384)
    with pytest.raises(ModelNotFoundError, match="no-such-model"):
        open_views(["no-such-model"], small_tower)
