"""An adapter is exactly its dense change while it is on, and nothing once it is off."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import replace

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
from transformers import PreTrainedModel

from universal_memory.rendering.adapter import Adapter, LowRank, attach
from universal_memory.rendering.architecture import ArchitectureMap, inspect_architecture
from universal_memory.rendering.fusion import fuse


@pytest.fixture(params=FAMILIES)
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return tiny_model(request.param)


@torch.no_grad()
def logits(model: PreTrainedModel, ids: Tensor | None = None) -> Tensor:
    out: Tensor = model(random_ids() if ids is None else ids).logits
    return out


def with_dense_change(
    model: PreTrainedModel, architecture: ArchitectureMap, adapter: Adapter
) -> PreTrainedModel:
    """A copy of `model` with the adapter's ΔW added to its weights."""
    changed = copy.deepcopy(model)
    for layer in adapter.layers:
        weight = architecture.target_of(changed, layer).weight
        delta = adapter.delta(layer)
        weight.data += delta if weight.shape == delta.shape else delta.T
    return changed


def test_attached_is_the_dense_change(model: PreTrainedModel) -> None:
    architecture = inspect_architecture(model)
    adapter = random_adapter(architecture)
    with attach(model, architecture, adapter):
        attached = logits(model)
    dense = logits(with_dense_change(model, architecture, adapter))
    assert (attached - dense).abs().max() < 1e-5
    assert (attached - logits(model)).abs().max() > 0.1  # and it is a change worth the name


def test_detached_model_is_bit_identical(model: PreTrainedModel) -> None:
    architecture = inspect_architecture(model)
    before, answers = parameters_of(model), logits(model)
    attachment = attach(model, architecture, random_adapter(architecture))
    model.generate(random_ids(1), max_new_tokens=3, do_sample=False, pad_token_id=0)
    attachment.detach()
    attachment.detach()
    assert torch.equal(logits(model), answers)
    assert_untouched(model, before)


def test_attention_sees_the_change(model: PreTrainedModel) -> None:
    architecture = inspect_architecture(model)
    adapter = listening(architecture)
    before, answers = parameters_of(model), logits(model)
    seen: list[Tensor] = []
    attention = architecture.attention_of(model, 3)

    def note(_module: object, given: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
        seen.append(given[0] if given else named["hidden_states"])

    with attach(model, architecture, replace(adapter, attention=None)):
        silent = logits(model)
    with attach(model, architecture, adapter):
        spoken = logits(model)
    assert (spoken - silent).abs().max() > 0.1
    closed = replace(adapter.attention, values=torch.zeros_like(adapter.attention.values))
    with attach(model, architecture, replace(adapter, attention=closed)):
        assert torch.equal(logits(model), silent)
    for given in (None, adapter):  # block 3 alone, so that its input is the same both times
        last = given and replace(
            adapter,
            keys=adapter.keys * 0,
            attention=LowRank((3,), adapter.attention.keys[1:], adapter.attention.values[1:]),
        )
        with attach(model, architecture, last) if last else nullcontext():
            handle = attention.register_forward_pre_hook(note, with_kwargs=True)
            logits(model)
            handle.remove()
    plain, changed = seen
    keys, values = adapter.attention.keys[1], adapter.attention.values[1]
    torch.testing.assert_close(changed, plain + plain @ keys.T @ values)
    assert torch.equal(logits(model), answers)
    assert_untouched(model, before)


def test_an_error_inside_takes_the_adapter_off() -> None:
    model = tiny_model("llama")
    architecture = inspect_architecture(model)
    before, answers = parameters_of(model), logits(model)
    with (
        pytest.raises(KeyboardInterrupt),
        attach(model, architecture, random_adapter(architecture)),
    ):
        raise KeyboardInterrupt
    assert torch.equal(logits(model), answers)
    assert_untouched(model, before)


def test_swapping_leaves_nothing_of_the_first() -> None:
    model = tiny_model("gemma3")
    architecture = inspect_architecture(model)
    first, second = (random_adapter(architecture, seed=seed) for seed in (1, 2))
    with attach(model, architecture, second):
        alone = logits(model)
    with attach(model, architecture, first):
        other = logits(model)
    with attach(model, architecture, second):
        assert torch.equal(logits(model), alone)
    assert not torch.equal(other, alone)


def test_two_attached_at_once_are_their_fusion() -> None:
    model = tiny_model("llama")
    architecture = inspect_architecture(model)
    first, second = (random_adapter(architecture, seed=seed) for seed in (1, 2))
    with attach(model, architecture, fuse([first, second])):
        fused = logits(model)
    with attach(model, architecture, first), attach(model, architecture, second):
        assert (logits(model) - fused).abs().max() < 1e-5


def test_gates_of_a_batch_are_single_runs(model: PreTrainedModel) -> None:
    architecture = inspect_architecture(model)
    first, second = (random_adapter(architecture, seed=seed) for seed in (1, 2))
    ids = random_ids(batch=3)
    shares = [(1.0, 0.0), (0.0, 1.0), (0.5, 1.0)]
    gates = torch.tensor([[a] * first.rank + [b] * second.rank for a, b in shares])
    with attach(model, architecture, fuse([first, second]).gated(gates)):
        together = logits(model, ids)
    for row, share in enumerate(shares):
        with attach(model, architecture, fuse([first, second], share)):
            alone = logits(model, ids[row : row + 1])
        assert (together[row : row + 1] - alone).abs().max() < 1e-5


def test_closed_gates_are_no_change() -> None:
    model = tiny_model("llama")
    architecture = inspect_architecture(model)
    adapter = random_adapter(architecture)
    with attach(model, architecture, adapter.gated(torch.zeros(2, adapter.rank))):
        assert torch.equal(logits(model), logits(tiny_model("llama")))


def test_gates_of_another_rank_are_refused() -> None:
    adapter = random_adapter(inspect_architecture(tiny_model("llama")), rank=5)
    with pytest.raises(ValueError, match="gates for rank 4, the adapter has 5"):
        adapter.gated(torch.ones(2, 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d_in": 63}, "adapter is for a map of 63 -> 32.*use the renderer of this model"),
        ({"d_out": 31}, "64 -> 31.*is 64 -> 32.*use the renderer of this model"),
    ],
)
def test_adapter_of_another_size_is_refused(change: dict[str, int], message: str) -> None:
    model = tiny_model("llama")
    architecture = inspect_architecture(model)
    before = parameters_of(model)
    with pytest.raises(ValueError, match=message):
        attach(model, architecture, random_adapter(replace(architecture, **change)))
    assert_untouched(model, before)


def test_adapter_of_a_deeper_model_is_refused() -> None:
    model = tiny_model("llama")
    architecture = inspect_architecture(model)
    with pytest.raises(ValueError, match="changes layer 4, the model has 4; use the renderer"):
        attach(model, architecture, random_adapter(architecture, layers=(3, 4)))


def test_size_and_rank() -> None:
    adapter = random_adapter(inspect_architecture(tiny_model("llama")), rank=5)
    assert adapter.rank == 5
    assert adapter.nbytes == 2 * 5 * (64 + 32) * 4
