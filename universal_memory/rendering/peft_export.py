"""A rendered adapter as a LoRA of the library PEFT, for programs that know nothing of memories.

The change of the adapted map is a LoRA as it is: A = keys, B = valuesᵀ. What the manner of
answering adds to the input of attention, x + valuesᵀ·keys·x, becomes a LoRA of every linear map W
that reads this input, with the same A = keys and B = W·valuesᵀ: W·(x + valuesᵀ·keys·x) is
W·x + (W·valuesᵀ)·keys·x. Which maps those are is seen by running the model once.

All factors are padded with zeros to one rank, r, and `lora_alpha` is r, so that the scale is 1
whoever computes it: PEFT and llama.cpp divide by the rank of each factor, vLLM by the r of the
configuration. `peft` itself is not needed here: the folder is two files of a simple form, and the
tests load it with `peft`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.architecture import ArchitectureMap

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."  # PEFT's name of the model it wraps
LINEAR_MAPS = ("Linear", "Conv1D")
TOLERANCE = 1e-3  # of the largest logit; in float32 about 1e-6 was measured
PROBE_TOKENS = 16


class NotALoraError(ValueError):
    """The adapter on this model cannot be said as a LoRA; the message has the reason."""


@dataclass(frozen=True)
class LoraFactors:
    """The change B·A of one linear map: a [rank, inputs], b [outputs, rank], float32, scale 1."""

    a: Tensor
    b: Tensor

    def padded(self, rank: int) -> LoraFactors:
        """The same change with zeros up to `rank`."""
        missing = rank - len(self.a)
        return LoraFactors(F.pad(self.a, (0, 0, 0, missing)), F.pad(self.b, (0, missing)))


@dataclass(frozen=True)
class PeftConfig:
    """`adapter_config.json`: PEFT's own names; what is left out is as PEFT has it by default.

    `target_modules`: full paths, as blocks differ in what is changed. `lora_alpha`: over `r` it is
    the scale. `fan_in_fan_out`: whether the maps are the transposed Conv1D of GPT-2.
    """

    base_model_name_or_path: str
    r: int
    lora_alpha: int
    target_modules: list[str]
    fan_in_fan_out: bool
    peft_type: str = "LORA"
    task_type: str = "CAUSAL_LM"
    lora_dropout: float = 0.0
    bias: str = "none"
    use_rslora: bool = False
    use_dora: bool = False
    inference_mode: bool = True


@dataclass(frozen=True)
class PeftAdapter:
    """A LoRA of several linear maps of a model, by their paths, all of one rank.

    `deviation`: largest difference between its logits and those of the adapter it was made from.
    """

    factors: Mapping[str, LoraFactors]
    fan_in_fan_out: bool
    deviation: float

    @property
    def rank(self) -> int:
        """Rank of every factor."""
        return len(next(iter(self.factors.values())).a)

    def config(self, base_model: str) -> PeftConfig:
        """Its configuration, for the base model of that name or folder."""
        rank = self.rank
        return PeftConfig(base_model, rank, rank, list(self.factors), self.fan_in_fan_out)

    def save(self, folder: Path, base_model: str) -> None:
        """Write the two files of a PEFT adapter, each whole or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {}
        for name, each in self.factors.items():
            tensors[f"{PREFIX}{name}.lora_A.weight"] = each.a.contiguous()
            tensors[f"{PREFIX}{name}.lora_B.weight"] = each.b.contiguous()
        weights, config = folder / f"{WEIGHTS}.partial", folder / f"{CONFIG}.partial"
        save_file(tensors, str(weights), metadata={"format": "pt"})
        text = json.dumps(asdict(self.config(base_model)), indent=2, sort_keys=True)
        config.write_text(f"{text}\n", encoding="utf-8")
        weights.replace(folder / WEIGHTS)
        config.replace(folder / CONFIG)


def peft_adapter(model: nn.Module, architecture: ArchitectureMap, adapter: Adapter) -> PeftAdapter:
    """`adapter` on `model` as a LoRA: what `attach` does, with every gate already in the values.

    Raises ValueError if the adapter is not for this model, and NotALoraError if it cannot be said
    as a LoRA: for gates of a batch, and for an attention that does not read its input with linear
    maps alone. The result is compared with the attached adapter before it is returned.
    """
    attention = adapter.attention
    if adapter.gates is not None or (attention is not None and attention.gates is not None):
        raise NotALoraError("gates of a batch are no LoRA; remedy: fuse the adapters with them")
    attach(model, architecture, adapter).detach()  # refuses what is not for this model
    maps: dict[str, nn.Module] = {}
    factors: dict[str, LoraFactors] = {}
    for at, layer in enumerate(adapter.layers):
        path = f"{architecture.blocks}.{layer}.{architecture.target}"
        maps[path] = architecture.target_of(model, layer)
        factors[path] = LoraFactors(adapter.keys[at].float(), adapter.values[at].float().T)
    if attention is not None:
        for at, readers in enumerate(_readers(model, architecture, attention.layers)):
            for path, module in readers.items():
                if path in factors:
                    raise NotALoraError(f"{path} would be changed twice: as a map and as a reader")
                maps[path] = module
                values = attention.values[at].float().T
                factors[path] = LoraFactors(attention.keys[at].float(), _weight(module) @ values)
    rank = max(len(each.a) for each in factors.values())
    padded = {path: each.padded(rank) for path, each in factors.items()}
    deviation, largest = _deviation(model, architecture, adapter, maps, padded)
    if deviation > TOLERANCE * largest:
        raise NotALoraError(
            f"attention of {architecture.model_type} does more with its input than read it with"
            f" {', '.join(sorted({path.rpartition('.')[2] for path in maps}))}: as a LoRA the"
            f" adapter gives logits that differ by {deviation:.3g} of {largest:.3g};"
            " remedy: use `ump query`"
        )
    transposed = any(type(module).__name__ == "Conv1D" for module in maps.values())
    return PeftAdapter(padded, transposed, deviation)


def _readers(
    model: nn.Module, architecture: ArchitectureMap, layers: Sequence[int]
) -> list[dict[str, nn.Module]]:
    """The linear maps that read the input of attention in each of `layers`, by path."""
    states: dict[int, Tensor] = {}
    found: list[dict[str, nn.Module]] = [{} for _ in layers]

    def note_states(layer: int) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any]], None]:
        def note(_module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            states[layer] = given[0] if given else named["hidden_states"]

        return note

    def note_reader(at: int, path: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def note(module: nn.Module, given: tuple[Any, ...]) -> None:
            if not given or given[0] is not states[layers[at]]:
                return
            if type(module).__name__ not in LINEAR_MAPS:
                raise NotALoraError(
                    f"{path} reads the input of attention and is a {type(module).__name__},"
                    f" not a linear map ({' or '.join(LINEAR_MAPS)}); remedy: use `ump query`"
                )
            found[at][path] = module

        return note

    with ExitStack() as hooks, torch.inference_mode():
        for at, layer in enumerate(layers):
            attention = architecture.attention_of(model, layer)
            noted = note_states(layer)
            hooks.enter_context(attention.register_forward_pre_hook(noted, with_kwargs=True))
            for name, module in attention.named_modules():
                if name:
                    path = f"{architecture.blocks}.{layer}.{architecture.attention}.{name}"
                    hook = note_reader(at, path)
                    hooks.enter_context(module.register_forward_pre_hook(hook))
        model(_probe(model, 1))
    return found


def _deviation(
    model: nn.Module,
    architecture: ArchitectureMap,
    adapter: Adapter,
    maps: Mapping[str, nn.Module],
    factors: Mapping[str, LoraFactors],
) -> tuple[float, float]:
    """Largest difference between the logits of adapter and LoRA, and the largest logit."""
    probe = _probe(model, PROBE_TOKENS)
    with torch.inference_mode():
        with attach(model, architecture, adapter):
            wanted = model(probe).logits
        with ExitStack() as hooks:
            for path, module in maps.items():
                hooks.enter_context(module.register_forward_hook(_changed(factors[path])))
            got = model(probe).logits
    return float((got - wanted).abs().max()), float(wanted.abs().max())


def _changed(factors: LoraFactors) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor]:
    def add_change(_module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> Tensor:
        change = given[0].to(factors.a.dtype) @ factors.a.T @ factors.b.T
        return output + change.to(output.dtype)

    return add_change


def _probe(model: nn.Module, count: int) -> Tensor:
    """Token ids from all over the vocabulary: int64 [1, count]."""
    weight = model.get_input_embeddings().weight  # type: ignore[operator]
    return torch.linspace(0, len(weight) - 1, count, device=weight.device).long().unsqueeze(0)


def _weight(module: nn.Module) -> Tensor:
    """The weight of a linear map, [outputs, inputs]."""
    weight: Tensor = module.get_parameter("weight").detach().float()
    return weight.T if type(module).__name__ == "Conv1D" else weight
