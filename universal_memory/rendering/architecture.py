"""Where a decoder keeps its blocks, and which linear map of a block an adapter changes.

Found by inspection, so that no model class is named in the rest of the project; what inspection
does not know, a file says (`places`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from torch import nn

from universal_memory.rendering.places import Places

# Down projections of the families met so far, in the order they are looked for in a block.
DOWN_PROJECTIONS = ("mlp.down_proj", "mlp.c_proj", "mlp.dense_4h_to_h", "fc2", "mlp.fc2")
ATTENTIONS = ("self_attn", "attn", "attention", "self_attention")


class UnknownArchitectureError(ValueError):
    """The model does not have the places that a renderer writes to, where they were looked for."""


@dataclass(frozen=True)
class ArchitectureMap:
    """The places of one decoder that a renderer writes to.

    `blocks`: dotted path of the list of decoder blocks. `target`: dotted path, within a block, of
    the linear map that adapters change. `layers`: number of blocks. `d_in`, `d_out`: its sizes.
    `attention`: dotted path, within a block, of its attention.
    """

    model_type: str
    blocks: str
    target: str
    layers: int
    d_in: int
    d_out: int
    attention: str

    @property
    def fingerprint(self) -> str:
        """Short hash of all fields: a renderer refuses a model with another one."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    @property
    def places(self) -> Places:
        """What a file has to say for inspection to find this map."""
        return Places(self.blocks, self.target, self.attention)

    def target_of(self, model: nn.Module, layer: int) -> nn.Module:
        """The linear module of block `layer` of `model`."""
        return model.get_submodule(f"{self.blocks}.{layer}.{self.target}")

    def attention_of(self, model: nn.Module, layer: int) -> nn.Module:
        """The attention of block `layer` of `model`; its first input are the hidden states."""
        return model.get_submodule(f"{self.blocks}.{layer}.{self.attention}")


def inspect_architecture(model: nn.Module, places: Places | None = None) -> ArchitectureMap:
    """The architecture map of a Hugging Face decoder.

    `places`: what to take in place of what is found. Raises UnknownArchitectureError, with what the
    model has and a file to start from, if a place cannot be found or is not what it should be.
    """
    places = places or Places()
    config = getattr(model, "config", None)
    blocks, modules = _blocks(model, places.blocks, getattr(config, "num_hidden_layers", None))
    names = {name: module for name, module in modules[0].named_modules() if name}
    width = getattr(config, "hidden_size", None)
    guess = Places(blocks, _likely_target(names, width), _likely_attention(names))
    targets = (places.target,) if places.target else DOWN_PROJECTIONS
    attentions = (places.attention,) if places.attention else ATTENTIONS
    target = _first(model, names, "target", targets, guess)
    attention = _first(model, names, "attention", attentions, guess)
    d_out, d_in = weight_shape(names[target], target)
    if width is not None and d_out != width:
        raise UnknownArchitectureError(
            f"target {target} of {type(model).__name__} has {d_out} outputs, not the {width} of the"
            f" hidden states; {_remedy(guess)}"
        )
    model_type = str(getattr(config, "model_type", type(model).__name__.lower()))
    return ArchitectureMap(model_type, blocks, target, len(modules), d_in, d_out, attention)


def weight_shape(module: nn.Module, name: str = "") -> tuple[int, int]:
    """(outputs, inputs) of a linear map: nn.Linear, or the transposed Conv1D of GPT-2."""
    weight = getattr(module, "weight", None)
    if weight is None or len(weight.shape) != 2:
        raise UnknownArchitectureError(
            f"{name or 'module'} is a {type(module).__name__}, which is not a linear map"
        )
    rows, columns = weight.shape
    return (columns, rows) if type(module).__name__ == "Conv1D" else (rows, columns)


def _blocks(model: nn.Module, path: str | None, layers: int | None) -> tuple[str, nn.ModuleList]:
    """Path and modules of the list of decoder blocks: the largest that is as long as it should."""
    lists = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) > 0
    }
    if path is not None and path in lists:
        return path, lists[path]
    if path is not None or not lists:
        told = ", ".join(f"{name} ({len(module)})" for name, module in lists.items())
        wrong = f"no list of decoder blocks {path} in" if path else "no list of decoder blocks in"
        raise UnknownArchitectureError(
            f"{wrong} {type(model).__name__}; its lists of modules: {told or 'none'};"
            f" {_remedy(Places(next(iter(lists), None)))}"
        )
    matching = {name: one for name, one in lists.items() if len(one) == layers} or lists
    blocks = max(matching, key=lambda name: sum(p.numel() for p in matching[name].parameters()))
    return blocks, matching[blocks]


def _first(
    model: nn.Module,
    names: Mapping[str, nn.Module],
    what: str,
    candidates: Sequence[str],
    guess: Places,
) -> str:
    """The first of the modules of a block that is there."""
    found = next((name for name in candidates if name in names), None)
    if found is None:
        raise UnknownArchitectureError(
            f"no {what} {' or '.join(candidates)} in a block of {type(model).__name__};"
            f" it has: {', '.join(map(_described, names.items()))}; {_remedy(guess)}"
        )
    return found


def _described(entry: tuple[str, nn.Module]) -> str:
    """A module of a block, with the sizes of a linear map."""
    name, module = entry
    if not _is_linear(module):
        return name
    outputs, inputs = weight_shape(module)
    return f"{name} ({inputs} -> {outputs})"


def _is_linear(module: nn.Module) -> bool:
    weight = getattr(module, "weight", None)
    return weight is not None and weight.dim() == 2


def _likely_target(names: Mapping[str, nn.Module], width: int | None) -> str | None:
    """A linear map from more numbers than the hidden states have to as many: the last one."""
    shapes = {name: weight_shape(module) for name, module in names.items() if _is_linear(module)}
    fitting = [name for name, (rows, columns) in shapes.items() if rows == width and columns > rows]
    return next(reversed(fitting or [*shapes]), None)


def _likely_attention(names: Mapping[str, nn.Module]) -> str | None:
    return next((name for name in sorted(names, key=len) if "att" in name.lower()), None)


def _remedy(guess: Places) -> str:
    return (
        "remedy: pass a decoder-only model, or write a YAML file like"
        f" `{guess}` and give it with --architecture (docs/new_model.md)"
    )
