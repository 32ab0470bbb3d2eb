"""A frozen decoder cut below the first adapted block.

Blocks below the first adapted one do not depend on the memory, so they run without gradients, and
their output can be cached; only the upper blocks take part in training (design §6).

Nothing is known here of what a decoder does before its blocks (scale embeddings, add positions),
after them (norms, projections) or with its logits (caps): every part is the model's own code, with
one block, or the whole decoder, replaced by what hands hidden states out or in.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions

from universal_memory.rendering.adapter import Adapter, LowRank, attach
from universal_memory.rendering.architecture import UnknownArchitectureError
from universal_memory.runtime.language_model import LanguageModel

PROBE_TOKENS = 8
TOLERANCE = 1e-2  # of the largest logit: bfloat16 is within, another computation is not


class SplitDecoder:
    """The blocks [0, first) and [first, end) of a language model's decoder, sharing its weights.

    Sequences are padded on the right; with a causal mask no real token sees the padding. Raises
    UnknownArchitectureError if the parts together are not the model, or if it cannot be adapted.
    """

    def __init__(self, language_model: LanguageModel, first: int) -> None:
        self.model, self.architecture = language_model.model, language_model.architecture
        path, _, name = self.architecture.blocks.rpartition(".")
        decoder = self.model.get_submodule(path)
        blocks: Any = self.model.get_submodule(self.architecture.blocks)
        self._hidden = torch.empty(0)
        self._said = _Said()
        below = [*blocks[:first], _instead(blocks[first], _reach)]
        above = [_instead(blocks[first], self._enter(blocks[first])), *blocks[first + 1 :]]
        self._lower = _replaced(decoder, name, nn.ModuleList(below))
        self._upper = _without(_replaced(decoder, name, nn.ModuleList(above)), first)
        self._whole = _replaced(self.model, path, self._said)
        self._check()

    @torch.no_grad()
    def below(self, ids: Tensor) -> Tensor:
        """Hidden states under the first adapted block: [batch, time, width] of [batch, time]."""
        try:
            self._lower(input_ids=ids, use_cache=False)
        except _ReachedError as reached:
            return reached.hidden
        raise UnknownArchitectureError(f"{self.architecture.blocks} are not what the decoder runs")

    def above(self, hidden: Tensor) -> Tensor:
        """Final hidden states from those of `below`; adapters attached to the model take part."""
        self._hidden = hidden
        final: Tensor = self._upper(input_ids=_any_ids(hidden), use_cache=False).last_hidden_state
        return final

    def head(self, states: Tensor) -> Tensor:
        """Logits of final hidden states: [..., vocabulary] of [..., width]."""
        self._said.states = states.reshape(1, -1, states.shape[-1])
        logits = self._whole(input_ids=_any_ids(self._said.states), use_cache=False).logits
        return logits.view(*states.shape[:-1], -1)

    @torch.no_grad()
    def observe(self, ids: Tensor, mask: Tensor, targets: list[nn.Module]) -> tuple[Tensor, Tensor]:
        """Inputs and outputs of `targets`, [targets, samples, width], where `mask` is true."""
        seen: list[tuple[Tensor, Tensor]] = []
        handles = [
            target.register_forward_hook(lambda _m, given, out: seen.append((given[0], out)))
            for target in targets
        ]
        try:
            self.above(self.below(ids))
        finally:
            for handle in handles:
                handle.remove()
        rows = mask.flatten()
        inputs, outputs = (
            torch.stack([states.flatten(0, -2)[rows].float() for states in each])
            for each in zip(*seen, strict=True)
        )
        return inputs, outputs

    def _enter(self, block: nn.Module) -> Callable[..., Any]:
        """`block` on the hidden states of `above`, whatever the decoder brought up to it."""

        def enter(*given: Any, **named: Any) -> Any:
            if given:
                return block.forward(self._hidden, *given[1:], **named)
            return block.forward(**{**named, "hidden_states": self._hidden})

        return enter

    @torch.no_grad()
    def _check(self) -> None:
        """The parts are the whole, and an adapter of nothing fits everywhere."""
        places, name = self.architecture.places, type(self.model).__name__
        weight = self.model.get_input_embeddings().weight
        ids = torch.linspace(0, len(weight) - 1, PROBE_TOKENS, device=weight.device).long()[None]
        try:
            with attach(self.model, self.architecture, self._nothing(weight)):
                wanted = self.model(input_ids=ids, use_cache=False).logits
                got = self.head(self.above(self.below(ids)))
        except (AttributeError, KeyError, RuntimeError, TypeError) as error:
            raise UnknownArchitectureError(
                f"{name} cannot be adapted at {places}: {error!r:.300};"
                " remedy: name other places with --architecture (docs/new_model.md)"
            ) from error
        apart = float((got - wanted).abs().max())
        if apart > TOLERANCE * float(wanted.abs().max()):
            raise UnknownArchitectureError(
                f"the blocks of {name} at {places}, run by themselves, give logits that are"
                f" {apart:.3g} from the model's: what a block is given depends on more than the"
                " block before; remedy: none here, this decoder cannot be cut"
            )

    def _nothing(self, like: Tensor) -> Adapter:
        """An adapter of zeros in every block, attention included."""
        layers = tuple(range(self.architecture.layers))
        keys, values = (
            like.new_zeros(len(layers), 1, size)
            for size in (self.architecture.d_in, self.architecture.d_out)
        )
        return Adapter(layers, keys, values, attention=LowRank(layers, values, values))


class _ReachedError(Exception):
    """The first adapted block is reached; what comes after it is not run."""

    def __init__(self, hidden: Tensor) -> None:
        super().__init__()
        self.hidden = hidden


class _Said(nn.Module):
    """Stands for a decoder whose final hidden states are known."""

    states: Tensor

    def forward(self, *_given: Any, **_named: Any) -> BaseModelOutputWithPastAndCrossAttentions:
        return BaseModelOutputWithPastAndCrossAttentions(last_hidden_state=self.states)


def _reach(*given: Any, **named: Any) -> Any:
    raise _ReachedError(given[0] if given else named["hidden_states"])


def _any_ids(hidden: Tensor) -> Tensor:
    """Token ids for hidden states [batch, time, width]: they only say how many there are."""
    return torch.zeros(hidden.shape[:2], dtype=torch.long, device=hidden.device)


def _instead(block: nn.Module, forward: Callable[..., Any]) -> nn.Module:
    """A copy of `block` that does something else; its weights and attributes are the block's."""
    part: Any = copy.copy(block)
    part.forward = forward
    return part


def _replaced(module: nn.Module, path: str, by: nn.Module) -> Any:
    """A copy of `module` with another module at `path`; everything else is shared."""
    name, _, rest = path.partition(".")
    part = copy.copy(module)
    part._modules = dict(module._modules)
    part._modules[name] = _replaced(module.get_submodule(name), rest, by) if rest else by
    return part


def _without(decoder: Any, first: int) -> Any:
    """A decoder that had its first blocks taken out, told so."""
    decoder.config = copy.deepcopy(decoder.config)
    decoder.config.num_hidden_layers -= first
    if getattr(decoder.config, "layer_types", None):
        decoder.config.layer_types = decoder.config.layer_types[first:]
    return decoder
