"""An exported adapter, loaded by the library `peft`, is our attached adapter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel
from safetensors.torch import load_file
from tiny_models import (
    FAMILIES,
    assert_untouched,
    listening,
    parameters_of,
    random_adapter,
    random_ids,
    tiny_model,
)
from torch import Tensor, nn
from transformers import PreTrainedModel

from universal_memory.rendering.adapter import Adapter, LowRank, attach
from universal_memory.rendering.architecture import inspect_architecture
from universal_memory.rendering.fusion import fuse
from universal_memory.rendering.peft_export import (
    CONFIG,
    PREFIX,
    WEIGHTS,
    NotALoraError,
    peft_adapter,
)
from universal_memory.rendering.places import Places

# Of the input of attention; elsewhere the three.
READERS = {"gpt2": {"c_attn"}, "phi3": {"qkv_proj"}, "gpt_neox": {"query_key_value"}}
THREE = {"q_proj", "k_proj", "v_proj"}


@torch.no_grad()
def logits(model: nn.Module) -> Tensor:
    out: Tensor = model(random_ids()).logits
    return out


def with_manner(model: PreTrainedModel) -> Adapter:
    """As an answerer puts it on: a manner that listens lower down, two memories, gates."""
    architecture = inspect_architecture(model)
    manner = replace(
        random_adapter(architecture, (2, 3), rank=2),
        attention=listening(architecture, (1, 2, 3)).attention,
    )
    memories = [random_adapter(architecture, (2, 3), rank, seed=rank) for rank in (4, 7)]
    return fuse([manner, *memories], [1.0, 1.0, 0.4])


@pytest.mark.parametrize("family", FAMILIES)
def test_peft_gives_the_logits_of_the_attached_adapter(family: str, tmp_path: Path) -> None:
    model = tiny_model(family)
    architecture, adapter = inspect_architecture(model), with_manner(model)
    before, plain = parameters_of(model), logits(model)
    with attach(model, architecture, adapter):
        wanted = logits(model)
    exported = peft_adapter(model, architecture, adapter)
    assert_untouched(model, before)
    assert exported.deviation < 1e-4
    exported.save(tmp_path, "a tiny model")
    loaded = PeftModel.from_pretrained(model, str(tmp_path))
    assert (logits(loaded) - wanted).abs().max() < 1e-4
    assert (wanted - plain).abs().max() > 0.1
    merged = loaded.merge_and_unload()  # as programs do that know no adapters
    assert (logits(merged) - wanted).abs().max() < 1e-4


@pytest.mark.parametrize("family", FAMILIES)
def test_the_right_maps_are_named_in_the_right_blocks(family: str) -> None:
    model = tiny_model(family)
    architecture = inspect_architecture(model)
    exported = peft_adapter(model, architecture, with_manner(model))
    downs = {f"{architecture.blocks}.{layer}.{architecture.target}" for layer in (2, 3)}
    readers = {
        f"{architecture.blocks}.{layer}.{architecture.attention}.{name}"
        for layer in (1, 2, 3)
        for name in READERS.get(family, THREE)
    }
    assert set(exported.factors) == downs | readers


def test_the_folder_is_as_peft_writes_it(tmp_path: Path) -> None:
    """Every name in the configuration is one of PEFT's, and the scale is 1 in every program."""
    model = tiny_model("llama")
    exported = peft_adapter(model, inspect_architecture(model), with_manner(model))
    exported.save(tmp_path / "new" / "folder", "base")
    folder = tmp_path / "new" / "folder"
    assert sorted(path.name for path in folder.iterdir()) == [CONFIG, WEIGHTS]
    written = json.loads((folder / CONFIG).read_text())
    config = LoraConfig.from_pretrained(str(folder))
    assert written.keys() <= config.to_dict().keys()
    assert set(config.target_modules) == set(exported.factors)
    assert config.base_model_name_or_path == "base" and config.inference_mode
    assert config.lora_alpha == config.r == exported.rank == 2 + 4 + 7
    assert not config.rank_pattern and not config.alpha_pattern
    tensors = load_file(str(folder / WEIGHTS))
    for name in exported.factors:  # vLLM divides by r, llama.cpp by the rank it finds
        a, b = (tensors[f"{PREFIX}{name}.lora_{factor}.weight"] for factor in "AB")
        assert len(a) == b.shape[1] == config.r
        assert a.dtype == b.dtype == torch.float32
    assert len(tensors) == 2 * len(exported.factors)
    loaded = PeftModel.from_pretrained(model, str(folder))
    loaded.save_pretrained(str(tmp_path / "again"), save_embedding_layers=False)
    again = load_file(str(tmp_path / "again" / WEIGHTS))
    assert again.keys() == tensors.keys()
    assert all(torch.equal(again[name], value) for name, value in tensors.items())


def test_without_a_manner_only_the_map_is_changed() -> None:
    model = tiny_model("llama")
    architecture = inspect_architecture(model)
    exported = peft_adapter(model, architecture, random_adapter(architecture))
    assert set(exported.factors) == {f"model.layers.{n}.mlp.down_proj" for n in (1, 3)}


def test_gates_of_a_batch_are_refused() -> None:
    model = tiny_model("llama")
    architecture = inspect_architecture(model)
    adapter = random_adapter(architecture, rank=5).gated(torch.ones(2, 5))
    with pytest.raises(NotALoraError, match=r"gates of a batch.*remedy"):
        peft_adapter(model, architecture, adapter)


def test_another_models_adapter_is_refused() -> None:
    architecture = inspect_architecture(tiny_model("llama"))
    adapter = random_adapter(architecture, layers=(3, 4))
    with pytest.raises(ValueError, match="use the renderer of this model"):
        peft_adapter(tiny_model("llama"), architecture, adapter)


def test_an_attention_that_reads_its_input_otherwise_is_refused() -> None:
    """A norm in front of the maps is seen; what no module does is measured."""
    model = tiny_model("llama")
    architecture, adapter = inspect_architecture(model), with_manner(model)
    attention = architecture.attention_of(model, 2)
    plain = attention.q_proj
    attention.q_proj = nn.Sequential(nn.LayerNorm(32), plain)
    with pytest.raises(NotALoraError, match=r"2\.self_attn\.q_proj.* is a Sequential"):
        peft_adapter(model, architecture, adapter)
    attention.q_proj = plain
    forward = attention.forward

    def squared(hidden_states: Tensor, **named: object) -> tuple[Tensor, ...]:
        out, *rest = forward(hidden_states=hidden_states, **named)
        return out + hidden_states.square(), *rest

    attention.forward = squared
    with pytest.raises(NotALoraError, match=r"logits that differ by .*`ump query`"):
        peft_adapter(model, architecture, adapter)


def test_a_map_that_would_be_changed_twice_is_refused() -> None:
    model = tiny_model("llama")
    architecture = inspect_architecture(model, Places(target="self_attn.q_proj"))
    attention = LowRank((1,), torch.ones(1, 2, 32), torch.ones(1, 2, 32))
    adapter = replace(random_adapter(architecture), attention=attention)
    with pytest.raises(NotALoraError, match=r"1\.self_attn\.q_proj would be changed twice"):
        peft_adapter(model, architecture, adapter)
