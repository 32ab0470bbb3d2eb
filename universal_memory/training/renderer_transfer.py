"""A closed-form start of a renderer from a trained one of another model over the same space.

What a renderer knows of memories (which pieces make one name, what belongs to what) is in the terms
of the space and is copied. What it knows of its model is carried over by ridge regressions between
the two models, which say the same texts (model stitching, Lenc & Vedaldi 2015; linear in word
embeddings, Mikolov et al. 2013): embeddings of the same words for tokens, what goes into adapted
maps for keys, what comes out for values. What cannot be predicted in one model from the other
shrinks to nothing, and is left to training.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from universal_memory.rendering.piece_tokens import NONE
from universal_memory.rendering.renderer import OF_MEMORIES, Renderer
from universal_memory.training.correspondence import Activity, Correspondence, Speaker
from universal_memory.training.warm_start import ridge

BATCHES, HELD_OUT = 24, 4  # the held-out ones tell how much is explained
STRENGTH, TOKEN_STRENGTH = 0.1, 0.01  # of the ridge, a sample
KEYS = ("key", "key_after", "key_after_two", "key_with", "key_bound", "manner_key")

Advance = Callable[[int, int], None]


class LayerRegression:
    """Ridge regressions of each of some layers, of samples that come in parts."""

    def __init__(self) -> None:
        self.gram: Tensor | float = 0.0
        self.cross: Tensor | float = 0.0
        self.count = 0

    def add(self, inputs: Tensor, outputs: Tensor) -> None:
        """Samples of every layer: [layers, samples, inputs] and [layers, samples, outputs]."""
        self.gram = self.gram + inputs.mT @ inputs
        self.cross = self.cross + inputs.mT @ outputs
        self.count += inputs.shape[1]

    def weights(self) -> Tensor:
        """W [layers, inputs, outputs] of outputs ≈ inputs·W."""
        gram = torch.as_tensor(self.gram)
        ridged = gram + STRENGTH * self.count * torch.eye(gram.shape[-1], device=gram.device)
        return torch.linalg.solve(ridged, torch.as_tensor(self.cross))


class RendererTransfer:
    """The start of the target's renderer from the source's.

    The target's has its scales and its closed-form start already; what is not carried over stays as
    it is. Raises ValueError for renderers of other sizes, where nothing can be copied.
    """

    def __init__(self, correspondence: Correspondence) -> None:
        self.correspondence = correspondence
        source, target = correspondence.source, correspondence.target
        others = copied_shapes(source.renderer)
        for name, width in copied_shapes(target.renderer).items():
            if (other := others.get(name, width)) != width:
                raise ValueError(
                    f"{name} of the renderer of {target.model.name} is {width}, of"
                    f" {source.model.name} {other}: nothing to copy; remedy: train without --like"
                )
        self.layers = matched_layers(target, source, lambda one: one.renderer.config.layers)
        self.attention_layers = matched_layers(
            target, source, lambda one: one.renderer.config.attention_layers
        )

    @torch.no_grad()
    def apply(self, advance: Advance = lambda done, total: None) -> dict[str, float]:
        """Write the start into the target's renderer.

        Returns the share of variance that is explained on what was not fitted: of short tokens,
        keys, values and of states both ways, mean of the layers.
        """
        fits = {name: LayerRegression() for name in ("keys", "values", "states", "states_back")}
        left = dict.fromkeys(fits, 0.0)
        weights: dict[str, Tensor] = {}
        for number in range(BATCHES):
            samples = self._samples(*self.correspondence.observe(number))
            if number == BATCHES - HELD_OUT:
                weights = {name: fit.weights() for name, fit in fits.items()}
            for name, (inputs, outputs) in samples.items():
                if weights:
                    left[name] += unexplained(outputs, inputs @ weights[name]) / HELD_OUT
                else:
                    fits[name].add(inputs, outputs)
            advance(number + 1, BATCHES)
        source, target = self.correspondence.source.renderer, self.correspondence.target.renderer
        explained = {name: 1.0 - value for name, value in left.items()}
        explained["tokens"] = carry_tokens(source, target)
        self._carry(source, target, weights)
        return explained

    def _samples(self, source: Activity, target: Activity) -> dict[str, tuple[Tensor, Tensor]]:
        """From what to what: [layers, places, width], layers as the target has them."""
        ours, theirs = self.correspondence.target.renderer, self.correspondence.source.renderer
        there, attended = self.layers, self.attention_layers
        states = source.states[attended]
        return {
            "keys": (target.inputs * ours.key_scale, (source.inputs * theirs.key_scale)[there]),
            "values": (
                (source.outputs / theirs.value_scale)[there],
                target.outputs / ours.value_scale,
            ),
            "states": (target.states, states),
            "states_back": (states, target.states),
        }

    def _carry(self, source: Renderer, target: Renderer, weights: dict[str, Tensor]) -> None:
        ours, theirs = dict(target.named_parameters()), dict(source.named_parameters())
        for name, parameter in ours.items():
            if name.startswith(OF_MEMORIES) and name in theirs:
                parameter.copy_(theirs[name])
        for name in (name for name in KEYS if name in ours and name in theirs):
            ours[name].copy_(theirs[name][self.layers] @ weights["keys"].mT)
        # As much in all layers together, where there are fewer or more of them.
        loud = len(source.config.layers) / len(target.config.layers)
        loud *= (target.config.d_in / source.config.d_in) ** 0.5
        target.manner_value.copy_(loud * source.manner_value[self.layers] @ weights["values"])
        said = source.surroundings.embeddings.outputs(source.tokens[source.tokens >= 0].unique())
        target.word_gain.copy_(loud * source.word_gain[self.layers] * (said @ source.word).std())
        layers = self.attention_layers
        loud = len(source.config.attention_layers) / len(target.config.attention_layers)
        key, value = source.manner_attention_key[layers], source.manner_attention_value[layers]
        target.manner_attention_key.copy_(key @ weights["states"].mT)
        target.manner_attention_value.copy_(loud * value @ weights["states_back"])


def copied_shapes(renderer: Renderer) -> dict[str, tuple[int, ...]]:
    """Shapes of what knows of memories alone, by name."""
    parameters = renderer.named_parameters()
    return {name: tuple(one.shape) for name, one in parameters if name.startswith(OF_MEMORIES)}


def matched_layers(
    target: Speaker, source: Speaker, layers: Callable[[Speaker], tuple[int, ...]]
) -> list[int]:
    """Of each of the target's adapted layers, which of the source's is nearest in depth.

    Its number among those.
    """

    def depths(one: Speaker) -> Tensor:
        return torch.tensor(layers(one)).add(1) / one.model.architecture.layers

    apart = (depths(target).unsqueeze(1) - depths(source)).abs()
    return [int(at) for at in apart.argmin(1)]


def carry_tokens(source: Renderer, target: Renderer) -> float:
    """Fit the target's short tokens to the source's, on words that are one token in both.

    Returns the share of their variance that is explained, of a held-out fifth.
    """
    first, second = (one.tokens[..., 0].long() for one in (target, source))
    both = (first >= 0) & (second >= 0)
    both &= (target.tokens[..., 1] == NONE) & (source.tokens[..., 1] == NONE)
    inputs = target.surroundings.embeddings.inputs(first[both])
    outputs = source.surroundings.embeddings.inputs(second[both]) @ source.token
    fitted = torch.arange(len(inputs)) % 5 > 0
    weights = ridge(inputs[fitted], outputs[fitted], TOKEN_STRENGTH)
    target.token.copy_(weights)
    return 1.0 - unexplained(outputs[~fitted], inputs[~fitted] @ weights)


def unexplained(wanted: Tensor, predicted: Tensor) -> float:
    """Share of the variance [..., samples, width] that is left, mean of what stands before."""
    error = (wanted - predicted).square().sum((-2, -1))
    total = (wanted - wanted.mean(-2, keepdim=True)).square().sum((-2, -1))
    return float((error / total).mean())
