"""The closed-form start finds words through a linear map, and only if there is one."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.text_tower import TextTower
from universal_memory.training.warm_start import ridge, shared_words, start_values

WORDS = 900
WIDTH = 32


@dataclass
class Words:
    """A vocabulary of one-token words w0, w1, ... on both sides, and one that is two tokens."""

    embeddings: Tensor
    head: Tensor
    extra: dict[str, int] = field(default_factory=dict)

    def get_vocab(self) -> dict[str, int]:
        return {f"w{number}": number for number in range(WORDS)} | self.extra

    def encode(self, text: str, add_special_tokens: bool) -> list[int]:
        assert text.startswith(" ")
        assert not add_special_tokens
        word = text[1:]
        if word == "Split":
            return [1, 2]
        return [int(word[1:]) + WORDS * word.startswith("W")] if word[1:].isdigit() else [0]

    @property
    def tower(self) -> TextTower:
        embedding = SimpleNamespace(word_embeddings=SimpleNamespace(weight=self.embeddings))
        model = SimpleNamespace(embeddings=embedding)
        return cast(TextTower, SimpleNamespace(tokenizer=self, model=model))

    @property
    def language_model(self) -> LanguageModel:
        head = nn.Linear(WIDTH, 2 * WORDS, bias=False)
        head.weight.data = self.head
        model = SimpleNamespace(get_output_embeddings=lambda: head)
        parts: Any = SimpleNamespace(tokenizer=self, model=model)
        return cast(LanguageModel, parts)


def words(aligned: bool) -> Words:
    torch.manual_seed(0)
    meaning = torch.randn(WORDS, WIDTH)
    head = meaning @ torch.randn(WIDTH, WIDTH) if aligned else torch.randn(WORDS, WIDTH)
    return Words(meaning @ torch.randn(WIDTH, 384), torch.cat([head, head + 0.01]))


@pytest.fixture
def renderer() -> Renderer:
    torch.manual_seed(0)
    return Renderer(RendererConfig((0, 1, 2, 3, 4, 5), 8, WIDTH, "f", "s", hidden=8))


def projection() -> Tensor:
    return torch.randn(256, 384, generator=torch.Generator().manual_seed(1)) / 384**0.5


def test_ridge_recovers_a_linear_map() -> None:
    drawn = torch.Generator().manual_seed(0)
    x, wanted = (torch.randn(*shape, generator=drawn) for shape in ((500, 20), (20, 7)))
    torch.testing.assert_close(ridge(x, x @ wanted, strength=1e-6), wanted, atol=1e-5, rtol=1e-5)
    assert ridge(x, x @ wanted, strength=1e6).norm() < 0.01 * wanted.norm()


def test_shared_words_in_both_cases_and_in_a_fixed_order() -> None:
    vocabulary = words(aligned=True)
    vocabulary.extra = {"split": WORDS, "##w5": WORDS + 1, "ümläut": WORDS + 2, "[PAD]": WORDS + 3}
    tower_ids, model_ids = shared_words(vocabulary.tower, vocabulary.language_model)
    pairs = list(zip(tower_ids, model_ids, strict=True))
    assert pairs[:4] == [(0, 0), (0, WORDS), (1, 1), (1, WORDS + 1)]
    assert [model for tower, model in pairs if tower >= WORDS] == [0]  # "split", not "Split"


def test_aligned_vocabularies_are_found_in_held_out_words(renderer: Renderer) -> None:
    vocabulary = words(aligned=True)
    found = start_values(renderer, projection(), vocabulary.tower, vocabulary.language_model)
    assert found > 0.9
    assert renderer.words_gain.flatten().tolist() == pytest.approx([0.0, 0.0] + [5e-3] * 4)
    # Size: a unit slot says something about as long as one of its own numbers.
    assert float(renderer.words.detach().std()) == pytest.approx(1 / 16, rel=1e-3)


def test_unrelated_vocabularies_are_not(renderer: Renderer) -> None:
    vocabulary = words(aligned=False)
    found = start_values(renderer, projection(), vocabulary.tower, vocabulary.language_model)
    assert found < 0.1
