"""A base model is told from another one, and from itself it is not."""

from __future__ import annotations

import hashlib

import pytest
import torch
from tiny_models import FAMILIES, tiny_model
from tiny_packages import TOKENIZER

from universal_memory.rendering.architecture import inspect_architecture
from universal_memory.rendering.packages.model_identity import (
    ModelIdentity,
    tokens_digest,
    weights_digest,
)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_model_in_any_precision_and_no_other(family: str) -> None:
    model = tiny_model(family)
    architecture = inspect_architecture(model)
    identity = ModelIdentity.of(model, architecture, TOKENIZER)
    assert ModelIdentity.of(tiny_model(family), architecture, TOKENIZER) == identity
    other = ModelIdentity.of(tiny_model(family, seed=1), architecture, TOKENIZER)
    assert list(identity.differences(other)) == ["weights"]
    half = weights_digest(model.to(torch.bfloat16), architecture)
    assert half == identity.weights


def test_a_fine_tuned_layer_is_seen() -> None:
    model = tiny_model("llama")
    architecture = inspect_architecture(model)
    before = weights_digest(model, architecture)
    architecture.target_of(model, 2).weight[0] *= 1.5  # type: ignore[index,operator]
    assert weights_digest(model, architecture) != before


def test_token_tables_differ_in_one_name_or_number() -> None:
    table = {"a": 0, " b": 1, "é": 2}
    written = b"0 1 a" + b"1 2  b" + b"2 2 " + "é".encode()
    assert tokens_digest(table) == hashlib.sha256(written).hexdigest()
    assert tokens_digest(dict(reversed(table.items()))) == tokens_digest(table)
    assert tokens_digest({**table, "a": 3}) != tokens_digest(table)
    assert tokens_digest({"A": 0, " b": 1, "é": 2}) != tokens_digest(table)


def test_differences_are_named_with_both_values() -> None:
    llama, gpt2 = (
        ModelIdentity.of(model, inspect_architecture(model), TOKENIZER)
        for model in map(tiny_model, ("llama", "gpt2"))
    )
    assert llama.differences(gpt2)["model_type"] == ("llama", "gpt2")
    assert llama.differences(llama) == {}
