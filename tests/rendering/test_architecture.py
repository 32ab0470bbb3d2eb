"""Where decoders of many families keep what adapters change, found without naming them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
import yaml
from tiny_models import CONFIGS, FAMILIES, INNER, LAYERS, WIDTH, tiny_model
from torch import nn

from universal_memory.rendering.architecture import (
    ArchitectureMap,
    UnknownArchitectureError,
    inspect_architecture,
    weight_shape,
)
from universal_memory.rendering.places import Places

USUAL = ("model.layers", "mlp.down_proj", "self_attn")
PLACES = {
    "gpt2": ("transformer.h", "mlp.c_proj", "attn"),
    "gpt_neox": ("gpt_neox.layers", "mlp.dense_4h_to_h", "attention"),
    "opt": ("model.decoder.layers", "fc2", "self_attn"),
    "opt_narrow": ("model.decoder.layers", "fc2", "self_attn"),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_finds_blocks_down_projection_and_attention(family: str) -> None:
    model = tiny_model(family)
    found = inspect_architecture(model)
    assert found.places == Places(*PLACES.get(family, USUAL))
    assert found.model_type == CONFIGS[family][0]
    assert (found.layers, found.d_in, found.d_out) == (LAYERS, INNER, WIDTH)
    target = found.target_of(model, 2)
    assert target(torch.zeros(1, INNER)).shape == (1, WIDTH)


def test_fingerprint_is_of_the_architecture_not_of_the_weights() -> None:
    prints = {family: inspect_architecture(tiny_model(family)).fingerprint for family in FAMILIES}
    assert len(set(prints.values())) == len({CONFIGS[family][0] for family in FAMILIES})
    assert inspect_architecture(tiny_model("llama", seed=9)).fingerprint == prints["llama"]


@pytest.mark.parametrize(
    ("found", "fingerprint"),
    [
        (("llama", *USUAL[:2], 30, 1536, 576, USUAL[2]), "6774950e058820f5"),  # SmolLM2-135M
        (("gemma3_text", *USUAL[:2], 18, 2048, 640, USUAL[2]), "d0b3fc50b6163bb0"),  # Gemma-3-270m
    ],
)
def test_fingerprints_that_renderers_are_bound_to(
    found: tuple[str, str, str, int, int, int, str], fingerprint: str
) -> None:
    assert ArchitectureMap(*found).fingerprint == fingerprint


def test_places_may_be_others() -> None:
    model = tiny_model("llama")
    found = inspect_architecture(model, Places(target="self_attn.o_proj", attention="mlp"))
    assert (found.target, found.d_in, found.d_out) == ("self_attn.o_proj", WIDTH, WIDTH)
    assert (found.blocks, found.attention) == ("model.layers", "mlp")
    assert inspect_architecture(model, found.places) == found


def test_model_without_blocks_is_refused() -> None:
    with pytest.raises(UnknownArchitectureError, match="no list of decoder blocks in Sequential"):
        inspect_architecture(nn.Sequential(nn.Linear(2, 2)))


class Strange(nn.Module):
    """Three floors of sluices; only some listen."""

    def __init__(self, hearing: str = "attentive_ear") -> None:
        super().__init__()
        self.config = SimpleNamespace(hidden_size=4)
        block = nn.ModuleDict({"sluice": nn.Linear(8, 4), hearing: nn.Linear(4, 4)})
        self.floors = nn.ModuleList([block] * 3)


def test_unknown_block_is_refused_with_what_it_has_and_a_file_to_start_from() -> None:
    example = "{blocks: floors, target: sluice, attention: attentive_ear}"
    with pytest.raises(UnknownArchitectureError, match=r"no target mlp\.down_proj or .*") as error:
        inspect_architecture(Strange())
    assert "sluice (8 -> 4), attentive_ear (4 -> 4)" in str(error.value)
    assert example in str(error.value) and "--architecture" in str(error.value)
    with pytest.raises(UnknownArchitectureError, match="no attention self_attn or attn"):
        inspect_architecture(Strange(), Places(target="sluice"))
    found = inspect_architecture(Strange(), Places.of(yaml.safe_load(example), "here"))
    assert (found.blocks, found.layers, found.d_in, found.d_out) == ("floors", 3, 8, 4)
    with pytest.raises(UnknownArchitectureError, match=r"attention: \.\.\."):
        inspect_architecture(Strange("ear"))


@pytest.mark.parametrize(
    ("places", "told"),
    [
        (Places(blocks="model.layer"), r"blocks model.layer in .* lists .* model.layers \(4"),
        (Places(target="mlp.up"), r"no target mlp.up in a block of Llama.* mlp.up_proj \(32 -> 64"),
        (Places(attention="mlp.x"), r"no attention mlp.x in a block"),
        (Places(target="mlp.up_proj"), r"mlp.up_proj .* has 64 outputs, not the 32 of the hidden"),
        (Places(target="mlp.act_fn"), r"mlp.act_fn is a SiLU.*, which is not a linear map"),
        (Places(target="input_layernorm"), "is not a linear map"),
    ],
)
def test_places_that_are_not_there_are_refused(places: Places, told: str) -> None:
    with pytest.raises(UnknownArchitectureError, match=told):
        inspect_architecture(tiny_model("llama"), places)


def test_weight_shape_is_outputs_then_inputs() -> None:
    assert weight_shape(nn.Linear(3, 5)) == (5, 3)
    block = tiny_model("gpt2").get_submodule("transformer.h.0")
    assert weight_shape(block.get_submodule("mlp.c_proj")) == (WIDTH, INNER)
