"""Attribution: what a rank added to a logit, to the letter, and a model that is left as it was."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import (
    FAMILIES,
    assert_untouched,
    listening,
    parameters_of,
    random_adapter,
    random_ids,
    tiny_model,
)
from torch import Tensor

from universal_memory.rendering.adapter import attach
from universal_memory.rendering.architecture import inspect_architecture
from universal_memory.rendering.attribution import attribute

PROMPT, SAID = [5, 9, 2, 17], [40, 3, 61]
LAST = len(PROMPT) - 1


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest) -> Any:
    return tiny_model(request.param)


def noted(part: torch.nn.Module) -> list[Tensor]:
    """The inputs of a part in every pass from now on."""
    seen: list[Tensor] = []
    part.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    return seen


def test_fired_and_probability_are_those_of_the_answer(model: Any) -> None:
    architecture = inspect_architecture(model)
    adapter = listening(architecture, layers=(1, 3), rank=3)
    found = attribute(model, architecture, adapter, PROMPT, SAID)
    assert found.layers == (1, 3)
    assert found.fired.shape == found.effect.shape == (len(SAID), 2, adapter.rank)
    with torch.no_grad(), attach(model, architecture, adapter):
        seen = noted(architecture.target_of(model, 3))
        logits = model(torch.tensor([PROMPT + SAID])).logits[0]
    for step, token in enumerate(SAID):
        expected = logits[LAST + step].softmax(-1)[token]
        torch.testing.assert_close(found.probability[step], expected)
        fired = adapter.keys[1] @ seen[0].flatten(0, -2)[LAST + step]
        torch.testing.assert_close(found.fired[step, 1], fired, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["llama", "gemma3", "gpt2"])
def test_effect_is_the_value_through_norms_and_unembedding(family: str) -> None:
    """By hand, with three kinds of norms, whose scales are those of the pass."""
    model: Any = tiny_model(family)
    architecture = inspect_architecture(model)
    adapter = random_adapter(architecture, layers=(1, 3), rank=3)
    found = attribute(model, architecture, adapter, PROMPT, SAID)
    final = model.transformer.ln_f if family == "gpt2" else model.model.norm
    block = model.get_submodule(f"{architecture.blocks}.3")
    after = getattr(block, "post_feedforward_layernorm", None)
    with torch.no_grad(), attach(model, architecture, adapter):
        inputs = noted(final)
        at_after = [] if after is None else noted(after)
        model(torch.tensor([PROMPT + SAID]))
    words = model.get_output_embeddings().weight
    for step, token in enumerate(SAID):
        here = (0, LAST + step)
        written = found.fired[step, 1].unsqueeze(1) * adapter.values[1]
        if after is not None:
            written = held(written, after, at_after[0][here])
        heard = held(written, final, inputs[0][here]) @ (words[token] - words.mean(0))
        torch.testing.assert_close(found.effect[step, 1], heard, rtol=1e-3, atol=1e-4)
    assert found.effect.abs().max() > 0.01


def held(x: Tensor, norm: Any, at: Tensor) -> Tensor:
    """A norm of x with the scale that it has `at` some input."""
    if isinstance(norm, torch.nn.LayerNorm):
        x = x - x.mean(-1, keepdim=True)
        return x / (at.var(correction=0) + norm.eps).sqrt() * norm.weight
    gain = norm.weight + (1.0 if type(norm).__name__.startswith("Gemma") else 0.0)
    return x / (at.square().mean() + 1e-6).sqrt() * gain


def test_the_model_is_left_bit_for_bit(model: Any) -> None:
    before = parameters_of(model)
    with torch.inference_mode():
        plain = model(random_ids()).logits
        adapter = listening(inspect_architecture(model))
    attribute(model, inspect_architecture(model), adapter, PROMPT, SAID)
    assert_untouched(model, before)
    assert all(parameter.grad is None for parameter in model.parameters())
    with torch.inference_mode():
        assert torch.equal(model(random_ids()).logits, plain)


def test_hooks_go_when_the_pass_fails(model: Any) -> None:
    before = parameters_of(model)
    architecture = inspect_architecture(model)
    with pytest.raises(IndexError):
        attribute(model, architecture, random_adapter(architecture), [10**6], SAID)
    assert_untouched(model, before)


@pytest.mark.parametrize(("prompt", "said"), [([], [1]), ([1], [])])
def test_nothing_asked_or_said_is_refused(model: Any, prompt: list[int], said: list[int]) -> None:
    architecture = inspect_architecture(model)
    with pytest.raises(ValueError, match="at least one"):
        attribute(model, architecture, random_adapter(architecture), prompt, said)
