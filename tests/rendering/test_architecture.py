"""Where decoders of four families keep what adapters change, found without naming them."""

from __future__ import annotations

import pytest
import torch
from tiny_models import FAMILIES, INNER, LAYERS, WIDTH, tiny_model
from torch import nn

from universal_memory.rendering.architecture import (
    UnknownArchitectureError,
    inspect_architecture,
    weight_shape,
)

PLACES = {
    "llama": ("llama", "model.layers", "mlp.down_proj", "self_attn"),
    "gemma3": ("gemma3_text", "model.layers", "mlp.down_proj", "self_attn"),
    "qwen2": ("qwen2", "model.layers", "mlp.down_proj", "self_attn"),
    "gpt2": ("gpt2", "transformer.h", "mlp.c_proj", "attn"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_finds_blocks_down_projection_and_attention(family: str) -> None:
    model = tiny_model(family)
    found = inspect_architecture(model)
    places = (found.model_type, found.blocks, found.target, found.attention)
    assert places == PLACES[family]
    assert (found.layers, found.d_in, found.d_out) == (LAYERS, INNER, WIDTH)
    target = found.target_of(model, 2)
    assert target(torch.zeros(1, INNER)).shape == (1, WIDTH)


def test_fingerprint_is_of_the_architecture_not_of_the_weights() -> None:
    prints = {family: inspect_architecture(tiny_model(family)).fingerprint for family in FAMILIES}
    assert len(set(prints.values())) == len(FAMILIES)
    assert inspect_architecture(tiny_model("llama", seed=9)).fingerprint == prints["llama"]


def test_target_may_be_another_linear_map() -> None:
    found = inspect_architecture(tiny_model("llama"), target="self_attn.o_proj")
    assert (found.target, found.d_in, found.d_out) == ("self_attn.o_proj", WIDTH, WIDTH)


def test_model_without_blocks_is_refused() -> None:
    with pytest.raises(UnknownArchitectureError, match="Sequential has no list of decoder blocks"):
        inspect_architecture(nn.Sequential(nn.Linear(2, 2)))


def test_unknown_block_is_refused_with_what_it_has() -> None:
    class Strange(nn.Module):
        def __init__(self, attentive: bool = True) -> None:
            super().__init__()
            block = nn.ModuleDict({"sluice": nn.Linear(4, 4)})
            if attentive:
                block["attn"] = nn.Identity()
            self.floors = nn.ModuleList([block])

    with pytest.raises(UnknownArchitectureError, match=r"mlp\.down_proj.*sluice.*set `target`"):
        inspect_architecture(Strange())
    assert inspect_architecture(Strange(), target="sluice").blocks == "floors"
    with pytest.raises(UnknownArchitectureError, match=r"self_attn.*sluice.*with attention"):
        inspect_architecture(Strange(attentive=False), target="sluice")


@pytest.mark.parametrize("target", ["mlp.act_fn", "input_layernorm"])
def test_target_that_is_no_linear_map_is_refused(target: str) -> None:
    with pytest.raises(UnknownArchitectureError, match="is not a linear map"):
        inspect_architecture(tiny_model("llama"), target=target)


def test_weight_shape_is_outputs_then_inputs() -> None:
    assert weight_shape(nn.Linear(3, 5)) == (5, 3)
    block = tiny_model("gpt2").get_submodule("transformer.h.0")
    assert weight_shape(block.get_submodule("mlp.c_proj")) == (WIDTH, INNER)
