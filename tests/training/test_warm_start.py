"""The closed-form start: keys that know which token was read, values that say their own."""

from __future__ import annotations

import pytest
import torch
from tiny_models import INNER, VOCABULARY, WIDTH, tiny_model
from torch import Tensor

from universal_memory.rendering.architecture import inspect_architecture
from universal_memory.rendering.piece_tokens import FORMS, MOST_TOKENS
from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.space.slot_reader import SlotReader
from universal_memory.training.warm_start import ridge, start_keys, start_words

SAMPLES = 2000


@pytest.fixture
def renderer() -> Renderer:
    torch.manual_seed(0)
    model = tiny_model("llama")
    tokens = torch.full((FORMS, VOCABULARY, MOST_TOKENS), -1)
    tokens[..., 0] = torch.arange(VOCABULARY)
    config = RendererConfig.for_architecture(inspect_architecture(model), "s")
    reader = SlotReader(torch.randn(VOCABULARY, 44))
    renderer = Renderer(config, reader, TokenEmbeddings(model), tokens)
    renderer.token = torch.nn.Parameter(renderer.token[:, :16].clone())  # fewer than the model has
    renderer.key_after = torch.nn.Parameter(renderer.key_after[:, :16].clone())
    renderer.key_after_two = torch.nn.Parameter(renderer.key_after_two[:, :16].clone())
    return renderer


def read_tokens() -> Tensor:
    return torch.randint(VOCABULARY, (SAMPLES,), generator=torch.Generator().manual_seed(1))


def test_ridge_recovers_a_linear_map() -> None:
    drawn = torch.Generator().manual_seed(0)
    x, wanted = (torch.randn(*shape, generator=drawn) for shape in ((500, 20), (20, 7)))
    torch.testing.assert_close(ridge(x, x @ wanted, strength=1e-7), wanted, atol=1e-4, rtol=1e-4)
    assert ridge(x, x @ wanted, strength=1e4).norm() < 0.01 * wanted.norm()


def test_keys_fire_at_the_token_they_wait_for(renderer: Renderer) -> None:
    tokens = read_tokens()
    drawn = torch.Generator().manual_seed(2)
    meaning = torch.randn(2, 2 * WIDTH, INNER, generator=drawn)
    before = tokens.roll(1)
    embeddings = renderer.surroundings.embeddings
    both = torch.cat([embeddings.inputs(tokens), embeddings.inputs(before)], dim=1)
    inputs = both @ meaning
    assert min(start_keys(renderer, inputs, tokens, before, strength=1e-3)) > 0.9
    short = renderer.surroundings.embeddings.inputs(torch.arange(VOCABULARY)) @ renderer.token
    fired = inputs[1, :200] @ (short @ renderer.key_after[1]).detach().T
    own = fired[torch.arange(200), tokens[:200]]
    assert float(own.mean()) == pytest.approx(INNER**0.5, rel=0.2)
    assert own.mean() > 3 * fired.std()


def test_keys_find_nothing_where_there_is_nothing(renderer: Renderer) -> None:
    noise = torch.randn(2, SAMPLES, INNER, generator=torch.Generator().manual_seed(3))
    tokens = read_tokens()
    assert max(start_keys(renderer, noise, tokens, tokens.roll(1))) < 0.1


def test_a_word_is_said_louder_than_all_others(renderer: Renderer) -> None:
    start_words(renderer, gain=0.25)
    assert torch.equal(renderer.word_gain, torch.full_like(renderer.word_gain, 0.25))
    embeddings = renderer.surroundings.embeddings
    every = embeddings.outputs(torch.arange(VOCABULARY))
    said = every @ renderer.word @ every.T
    assert (said.argmax(1) == torch.arange(VOCABULARY)).float().mean() > 0.9
