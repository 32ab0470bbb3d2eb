"""Attribution: which ranks of an adapter made a decoder say what it said, and where they fired.

Direct logit attribution (Elhage et al. 2021, after the logit lens of nostalgebraist 2020): a rank
that fires adds keys·x times its value to the residual stream, and what is in the stream adds up to
the logits, once the scales of the norms are held as they were. So a rank has a share in the logit
of a token, in layer after layer. Blocks further up that read what it wrote are left out, and so is
what it wrote at earlier tokens; docs/decisions.md tells what that misses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import torch
from torch import Tensor, nn

from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.architecture import ArchitectureMap


@dataclass(frozen=True)
class Attribution:
    """What the ranks of an adapter did where each of some tokens was decided on.

    `fired`: keys·x, float32 [tokens, layers, rank]. `effect`: what that added to the logit of the
    token over the mean logit of the vocabulary, float32 [tokens, layers, rank], in nats.
    `probability`: of the tokens, float32 [tokens].
    """

    layers: tuple[int, ...]
    fired: Tensor
    effect: Tensor
    probability: Tensor


def attribute(
    model: nn.Module,
    architecture: ArchitectureMap,
    adapter: Adapter,
    prompt: Sequence[int],
    said: Sequence[int],
) -> Attribution:
    """How `adapter` makes `model` say the tokens `said` after those of `prompt`.

    One pass over both; the model is what it was before, bit for bit. Raises ValueError for an empty
    prompt or nothing said, or if the adapter is not for this model.
    """
    if not prompt or not said:
        raise ValueError(f"{len(prompt)} tokens asked, {len(said)} said: both need at least one")
    device = next(model.parameters()).device
    ids = torch.tensor([[*prompt, *said[:-1]]], device=device)
    at = slice(len(prompt) - 1, None)
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        attach(model, architecture, adapter),
        _Notes(model, architecture, adapter.layers) as notes,
    ):
        logits = model(input_ids=ids, use_cache=False).logits[0, at].float()
        tokens = torch.tensor(list(said), device=device).unsqueeze(1)
        over_mean = logits.gather(1, tokens).squeeze(1) - logits.mean(1)
        (heard,) = torch.autograd.grad(over_mean.sum(), notes.last)
        written = [notes.written[layer] for layer in adapter.layers]
        reach = torch.stack([(notes.left[layer] * heard).sum() for layer in adapter.layers])
        weights = torch.autograd.grad(reach.sum(), written)
    with torch.inference_mode():
        read = torch.stack([notes.read[layer][at] for layer in adapter.layers]).float()
        fired = read @ adapter.keys.float().mT
        spoken = torch.stack([weight.flatten(0, -2)[at] for weight in weights]).float()
        effect = fired * (spoken @ adapter.values.float().mT)
        probability = logits.detach().softmax(-1).gather(1, tokens).squeeze(1)
    return Attribution(adapter.layers, fired.transpose(0, 1), effect.transpose(0, 1), probability)


class _Notes:
    """Hooks that note what the adapted maps read and write, each block a graph of its own.

    `read`, `written`: inputs (flat) and outputs of the adapted maps; `left`: states that the blocks
    leave; `last`: those of the last one.
    """

    def __init__(
        self, model: nn.Module, architecture: ArchitectureMap, layers: Sequence[int]
    ) -> None:
        self.read: dict[int, Tensor] = {}
        self.written: dict[int, Tensor] = {}
        self.left: dict[int, Tensor] = {}
        self.last = torch.empty(0)
        self._final = architecture.layers - 1
        blocks = model.get_submodule(architecture.blocks)
        assert isinstance(blocks, nn.ModuleList)
        self._handles = [
            block.register_forward_hook(self._cut(layer)) for layer, block in enumerate(blocks)
        ]
        self._handles += [
            architecture.target_of(model, layer).register_forward_hook(self._note(layer))
            for layer in layers
        ]
        self._handles += [
            module.register_forward_hook(_hold_scale)
            for module in model.modules()
            if "norm" in type(module).__name__.lower()
        ]

    def __enter__(self) -> _Notes:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def _note(self, layer: int) -> Any:
        def note(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            self.read[layer] = inputs[0].detach().flatten(0, -2)  # some decoders do so themselves
            self.written[layer] = output.detach().requires_grad_()
            return self.written[layer]

        return note

    def _cut(self, layer: int) -> Any:
        def cut(_module: nn.Module, _inputs: Any, output: Any) -> Any:
            whole = isinstance(output, Tensor)
            self.left[layer] = output if whole else output[0]
            states = self.left[layer].detach()
            if layer == self._final:
                self.last = states.requires_grad_()
            return states if whole else (states, *output[1:])

        return cut


def _hold_scale(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    """The same output, whose gradient takes the scale that the norm found as a constant.

    Such a norm N keeps its output when its input grows, so its gradient along the input is zero;
    with the scale held it is N itself (without its bias).
    """
    x = inputs[0]
    if not x.requires_grad:
        return output
    bias = getattr(module, "bias", None)
    along = x.detach()
    if isinstance(module, nn.LayerNorm):
        along = along - along.mean(-1, keepdim=True)
    grown = ((x - x.detach()) * along).sum(-1, keepdim=True) / along.square().sum(-1, keepdim=True)
    return output + (output.detach() - (0 if bias is None else bias)) * grown
