"""The renderer: its scales, its card, and what it refuses to be used for."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from tiny_models import INNER, WIDTH, tiny_model
from torch import Tensor

from universal_memory.rendering.architecture import ArchitectureMap, inspect_architecture
from universal_memory.rendering.fusion import fuse
from universal_memory.rendering.piece_tokens import NONE, spoken
from universal_memory.rendering.renderer import (
    Renderer,
    RendererConfig,
    RendererNotFoundError,
    earlier,
)
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.space.slot_reader import SlotReader
from universal_memory.weights import read_card, save_weights

SPACE = "test-space"


@pytest.fixture
def architecture() -> ArchitectureMap:
    return inspect_architecture(tiny_model("llama"))


@pytest.fixture
def renderer(
    architecture: ArchitectureMap, reader: SlotReader, embeddings: TokenEmbeddings, tokens: Tensor
) -> Renderer:
    torch.manual_seed(1)
    config = RendererConfig.for_architecture(architecture, SPACE)
    renderer = Renderer(config, reader, embeddings, tokens)
    renderer.word_gain.data.fill_(0.5)
    return renderer


def around(renderer: Renderer) -> tuple[SlotReader, TokenEmbeddings]:
    return renderer.surroundings.reader, renderer.surroundings.embeddings


def usvs(count: int) -> Tensor:
    drawn = torch.randn(count, 16, 256, generator=torch.Generator().manual_seed(2))
    return torch.nn.functional.layer_norm(drawn, (256,))


def save(renderer: Renderer, models: Path, name: str = "tiny") -> Path:
    path = models / "renderers" / name / "renderer.safetensors"
    save_weights(path, renderer, {"config": asdict(renderer.config), "seed": 1})
    return path


def test_upper_two_fifths_are_adapted(architecture: ArchitectureMap) -> None:
    deep = replace(architecture, layers=30)
    assert RendererConfig.for_architecture(deep, SPACE).layers == tuple(range(18, 30))
    assert RendererConfig.for_architecture(deep, SPACE, first_layer=28).layers == (28, 29)


def test_a_rank_is_a_token_of_a_word_piece(renderer: Renderer, reader: SlotReader) -> None:
    usv = usvs(1)
    reading = reader(usv)
    tokens = spoken(renderer.tokens, reading.pieces, reading.flags)
    rank = int((tokens[reading.taken] != NONE).sum())
    assert 16 < rank < 3 * 64
    adapter = renderer.render(usv[0])
    assert adapter.layers == renderer.config.layers == (2, 3)
    assert (adapter.keys.shape, adapter.values.shape) == ((2, rank, INNER), (2, rank, WIDTH))
    assert not adapter.keys.requires_grad


def test_tokens_before_are_of_the_same_memory() -> None:
    tokens, memory = torch.tensor([7, 8, 9, 5, 6]), torch.tensor([0, 0, 0, 1, 1])
    assert earlier(tokens, memory, 1).tolist() == [NONE, 7, 8, NONE, 5]
    assert earlier(tokens, memory, 2).tolist() == [NONE, NONE, 7, NONE, NONE]


def test_memories_together_are_their_fusion(renderer: Renderer) -> None:
    usv = usvs(3)
    rendered = renderer(usv)
    together, alone = rendered.adapter, [renderer.render(one) for one in usv]
    fused = fuse(alone)
    assert rendered.memory.bincount().tolist() == [adapter.rank for adapter in alone]
    torch.testing.assert_close(together.keys, fused.keys, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(together.values, fused.values, atol=1e-6, rtol=1e-5)


def test_memories_differ_and_manner_starts_as_nothing(renderer: Renderer) -> None:
    first, second = (renderer.render(one).delta(3) for one in usvs(2))
    assert (first - second).norm() > 0.5 * first.norm() > 0
    assert renderer.manner().rank == renderer.config.manner_rank
    assert not renderer.manner().delta(3).any()
    attention = renderer.manner().attention
    assert attention is not None and attention.rank == renderer.config.attention_rank
    assert not attention.values.any()
    assert renderer.render(usvs(1)[0]).attention is None  # memories change the map alone


def test_calibration_evens_out_the_inputs(renderer: Renderer) -> None:
    spread = torch.logspace(-0.9, 2, INNER)
    inputs = torch.randn(2, 4000, INNER, generator=torch.Generator().manual_seed(0)) * spread
    outputs = torch.full((2, 10, WIDTH), 3.0)
    renderer.calibrate(inputs, outputs)
    seen = (inputs * renderer.key_scale).square().mean(1).sqrt()
    floor = 0.1 * float(inputs.square().mean(1).sqrt().median())
    loud = spread > 1.1 * floor
    torch.testing.assert_close(seen[:, loud], torch.ones_like(seen[:, loud]), atol=1e-3, rtol=0)
    assert (seen[:, spread < 0.9 * floor] < 1).all()  # silent dimensions are not blown up
    torch.testing.assert_close(renderer.value_scale, torch.full((2, 1, 1), 0.3))


def test_card_and_weights_come_back(
    renderer: Renderer, architecture: ArchitectureMap, tmp_path: Path
) -> None:
    path = save(renderer, tmp_path)
    assert RendererConfig.from_card(read_card(path)) == renderer.config
    loaded = Renderer.load(architecture, SPACE, *around(renderer), tmp_path)
    assert torch.equal(loaded.tokens, renderer.tokens)
    assert loaded.config == renderer.config
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    usv = usvs(1)[0]
    wanted, got = renderer.render(usv).delta(3), loaded.render(usv).delta(3)
    assert (got - wanted).norm() < 2e-3 * wanted.norm()  # half precision on disk


def test_a_card_of_before_changes_attention_where_it_changes_the_map(renderer: Renderer) -> None:
    config = asdict(renderer.config)
    assert config["attention_layers"][0] < config["layers"][0] == 2
    del config["attention_layers"]
    found = RendererConfig.from_card({"config": config})
    assert found.attention_layers == found.layers and found.first_layer == 2


def test_the_right_one_of_several_is_found(
    renderer: Renderer, architecture: ArchitectureMap, tmp_path: Path
) -> None:
    for name, changed in (("a", {"space_id": "older"}), ("b", {"fingerprint": "0" * 16})):
        config = replace(renderer.config, **changed)
        save(Renderer(config, *around(renderer)), tmp_path, name)
    save(renderer, tmp_path, "c")
    loaded = Renderer.load(architecture, SPACE, *around(renderer), tmp_path)
    assert torch.equal(loaded.key, renderer.key.detach().half().float())


def test_other_architecture_is_refused(renderer: Renderer, tmp_path: Path) -> None:
    save(renderer, tmp_path)
    other = inspect_architecture(tiny_model("gemma3"))
    message = rf"gemma3_text.*64 -> 32.*there are: tiny \(space {SPACE}\).*`ump train renderer"
    with pytest.raises(RendererNotFoundError, match=message):
        Renderer.load(other, SPACE, *around(renderer), tmp_path)


def test_other_space_is_refused(
    renderer: Renderer, architecture: ArchitectureMap, tmp_path: Path
) -> None:
    save(renderer, tmp_path)
    with pytest.raises(RendererNotFoundError, match=r"space elsewhere.*`ump train renderer"):
        Renderer.load(architecture, "elsewhere", *around(renderer), tmp_path)


def test_no_renderer_at_all(
    renderer: Renderer, architecture: ArchitectureMap, tmp_path: Path
) -> None:
    with pytest.raises(RendererNotFoundError, match="there are: none"):
        Renderer.load(architecture, SPACE, *around(renderer), tmp_path)


def test_a_bare_space_tells_no_number_from_another(renderer: Renderer) -> None:
    renderer.tokens[:, :, 2:] = NONE
    renderer.tokens[3:, :, 1] = NONE
    renderer.tokens[:3, :, 1] = renderer.tokens[3:, :, 0]  # a space, then as without it
    renderer.tokens[:3, :, 0] = 6
    free = ~renderer.surroundings.reader(usvs(1)).flags[..., 2]
    assert free.any(), "or no word begins with a space"
    shares = renderer.bound(usvs(1))
    renderer.tokens[:3, :, 0] = 7
    assert torch.equal(renderer.bound(usvs(1)), shares)
    renderer.tokens[:3, :, 1] = renderer.tokens[3:, :, 0].roll(1, dims=1)  # no longer the same
    assert not torch.equal(renderer.bound(usvs(1)), shares)


def test_binding_changes_keys_and_no_value(renderer: Renderer) -> None:
    with_it = renderer(usvs(2))
    assert torch.equal(with_it.binding, renderer.bound(usvs(2)))
    torch.nn.init.zeros_(renderer.key_bound)
    without = renderer(usvs(2))
    assert torch.equal(with_it.adapter.values, without.adapter.values)
    assert not torch.allclose(with_it.adapter.keys, without.adapter.keys)
