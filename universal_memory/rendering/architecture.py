"""Where a decoder keeps its blocks, and which linear map of a block an adapter changes.

Found by inspection, so that no model class is named in the rest of the project.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from torch import nn

# Down projections of the families met so far, in the order they are looked for in a block.
DOWN_PROJECTIONS = ("mlp.down_proj", "mlp.c_proj", "mlp.dense_4h_to_h", "fc2", "mlp.fc2")
ATTENTIONS = ("self_attn", "attn", "attention", "self_attention")


class UnknownArchitectureError(ValueError):
    """The model has no block list, no known down projection or no known attention."""


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

    def target_of(self, model: nn.Module, layer: int) -> nn.Module:
        """The linear module of block `layer` of `model`."""
        return model.get_submodule(f"{self.blocks}.{layer}.{self.target}")

    def attention_of(self, model: nn.Module, layer: int) -> nn.Module:
        """The attention of block `layer` of `model`; its first input are the hidden states."""
        return model.get_submodule(f"{self.blocks}.{layer}.{self.attention}")


def inspect_architecture(model: nn.Module, target: str | None = None) -> ArchitectureMap:
    """The architecture map of a Hugging Face decoder.

    `target` overrides the module within a block. Raises UnknownArchitectureError, naming the
    children of a block, if the block list or the module cannot be found.
    """
    config = getattr(model, "config", None)
    lists = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) > 0
    ]
    if not lists:
        raise UnknownArchitectureError(
            f"{type(model).__name__} has no list of decoder blocks; pass a decoder-only model"
        )
    wanted = getattr(config, "num_hidden_layers", None)
    matching = [entry for entry in lists if len(entry[1]) == wanted] or lists
    blocks, modules = max(matching, key=lambda entry: sum(p.numel() for p in entry[1].parameters()))
    names = dict(modules[0].named_modules())
    found = _first(model, names, (target,) if target else DOWN_PROJECTIONS, "set `target` to one")
    attention = _first(model, names, ATTENTIONS, "pass a decoder with attention in its blocks")
    d_out, d_in = weight_shape(names[found])
    model_type = str(getattr(config, "model_type", type(model).__name__.lower()))
    return ArchitectureMap(model_type, blocks, found, len(modules), d_in, d_out, attention)


def _first(
    model: nn.Module, names: Mapping[str, nn.Module], candidates: Sequence[str], remedy: str
) -> str:
    """The first of the modules of a block that is there."""
    found = next((name for name in candidates if name in names), None)
    if found is None:
        raise UnknownArchitectureError(
            f"no module {' or '.join(candidates)} in a block of {type(model).__name__};"
            f" it has: {', '.join(name for name in names if name)}; {remedy}"
        )
    return found


def weight_shape(module: nn.Module) -> tuple[int, int]:
    """(outputs, inputs) of a linear map: nn.Linear, or the transposed Conv1D of GPT-2."""
    weight = getattr(module, "weight", None)
    if weight is None or len(weight.shape) != 2:
        raise UnknownArchitectureError(f"{type(module).__name__} is not a linear map")
    rows, columns = weight.shape
    return (columns, rows) if type(module).__name__ == "Conv1D" else (rows, columns)
