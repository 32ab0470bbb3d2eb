"""Parts that many tests share: the text tower (loaded once) and a tiny on-robot model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from torch import Tensor

    from universal_memory.runtime.language_model import LanguageModel
    from universal_memory.space.text_tower import TextTower

# The same examples every time, however slow the machine.
settings.register_profile("universal_memory", deadline=None, derandomize=True)
settings.load_profile("universal_memory")


@pytest.fixture(scope="session")
def tower() -> TextTower:
    """The real text tower. Shared: copy it before changing it."""
    from universal_memory.space.text_tower import TextTower

    return TextTower()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random Llama and its tokenizer."""
    from tiny_models import save_language_model

    from universal_memory.training.corpora import EpisodeGenerator

    generator = EpisodeGenerator(seed=5, vocabulary="closed")
    episodes = [generator.episode(1) for _ in range(80)]
    texts = [episode.text for episode in episodes]
    texts += [question.text for e in episodes for f in e.facts for question in f.questions]
    texts += ["user", "assistant"] * 100  # words of the template: prompts stay short
    return save_language_model(tmp_path_factory.mktemp("tiny_llama"), texts)


@pytest.fixture
def language_model(tiny_folder: Path) -> LanguageModel:
    """A fresh tiny on-robot model."""
    from universal_memory.runtime.language_model import LanguageModel

    return LanguageModel(str(tiny_folder))


@pytest.fixture(scope="session")
def tokens(tower: TextTower, tiny_folder: Path) -> Tensor:
    """How the tiny model writes all word pieces of the text tower."""
    from universal_memory.rendering.piece_tokens import piece_tokens
    from universal_memory.runtime.language_model import LanguageModel

    return piece_tokens(tower.codes.pieces, LanguageModel(str(tiny_folder)).tokenizer)
