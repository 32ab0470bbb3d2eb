"""A decoder cut in two is the whole decoder; only the upper part sees adapters and gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_models import (
    FAMILIES,
    INNER,
    WIDTH,
    as_language_model,
    listening,
    random_adapter,
    random_ids,
    tiny_model,
)
from torch import Tensor, nn

from universal_memory.rendering.adapter import attach
from universal_memory.rendering.architecture import UnknownArchitectureError
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.training.split_decoder import SplitDecoder


def whole(model: LanguageModel, ids: Tensor) -> Tensor:
    with torch.no_grad():
        out: Tensor = model.model(ids).logits
    return out


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("first", [0, 1, 3])
def test_two_parts_are_the_whole(family: str, first: int) -> None:
    model = as_language_model(tiny_model(family))
    ids = random_ids(batch=2, time=12)  # longer than the sliding window of Gemma's local layers
    before = whole(model, ids)
    decoder = SplitDecoder(model, first)
    with torch.no_grad():
        logits = decoder.head(decoder.above(decoder.below(ids)))
    torch.testing.assert_close(logits, before, atol=1e-5, rtol=1e-5)
    assert torch.equal(whole(model, ids), before)  # cutting leaves the model itself whole


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_on_the_right_is_not_seen(family: str) -> None:
    decoder = SplitDecoder(as_language_model(tiny_model(family)), 2)
    ids = random_ids(batch=1, time=12)
    with torch.no_grad():
        alone = decoder.above(decoder.below(ids[:, :7]))
        padded = decoder.above(decoder.below(ids))
    torch.testing.assert_close(padded[:, :7], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_on_the_model_work_in_the_upper_part(family: str) -> None:
    model = as_language_model(tiny_model(family))
    decoder, ids = SplitDecoder(model, 2), random_ids()
    adapter = listening(model.architecture, layers=(2, 3))
    bare = whole(model, ids)
    with attach(model.model, model.architecture, adapter):
        wanted = whole(model, ids)
        got = decoder.head(decoder.above(decoder.below(ids)))
    torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)
    assert (got - bare).abs().max() > 0.05


def test_gradients_reach_the_adapter_and_nothing_below() -> None:
    model = as_language_model(tiny_model("llama"))
    decoder, ids = SplitDecoder(model, 2), random_ids()
    adapter = random_adapter(model.architecture, layers=(2, 3))
    adapter.values.requires_grad_(True)
    hidden = decoder.below(ids)
    assert not hidden.requires_grad
    with attach(model.model, model.architecture, adapter):
        decoder.above(hidden).square().sum().backward()
    assert adapter.values.grad is not None
    assert bool(adapter.values.grad.abs().sum((1, 2)).all())
    assert all(parameter.grad is None for parameter in model.model.parameters())


@pytest.mark.parametrize("family", ["llama", "opt"])
def test_observes_what_the_adapted_maps_get_and_give(family: str) -> None:
    model = as_language_model(tiny_model(family))
    decoder, ids = SplitDecoder(model, 2), random_ids()
    targets = [model.architecture.target_of(model.model, layer) for layer in (2, 3)]
    mask = torch.ones_like(ids, dtype=torch.bool)
    mask[0, 5:] = False
    inputs, outputs = decoder.observe(ids, mask, targets)
    samples = int(mask.sum())
    assert (inputs.shape, outputs.shape) == ((2, samples, INNER), (2, samples, WIDTH))
    with torch.no_grad():
        torch.testing.assert_close(targets[1](inputs[1]), outputs[1])
    assert not any(target._forward_hooks for target in targets)


def test_places_that_cannot_be_adapted_are_refused() -> None:
    model = as_language_model(tiny_model("llama"))
    model.architecture = replace(model.architecture, attention="mlp.down_proj")
    with pytest.raises(UnknownArchitectureError, match=r"cannot be adapted at .*mlp.down_proj"):
        SplitDecoder(model, 2)


def test_a_decoder_that_cannot_be_cut_is_refused() -> None:
    """Its last block looks at the embeddings again."""

    def again(_module: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (given[0] + 0.5 * seen[0], *given[1:])

    model = as_language_model(tiny_model("llama"))
    seen: list[Tensor] = []
    decoder = model.model.model
    decoder.embed_tokens.register_forward_hook(lambda _module, _given, out: seen.insert(0, out))
    decoder.layers[3].register_forward_pre_hook(again)
    with pytest.raises(UnknownArchitectureError, match="cannot be cut"):
        SplitDecoder(model, 2)
