"""Token embeddings: the model's own rows, centred, and nothing for no token."""

from __future__ import annotations

import torch
from tiny_models import tiny_model

from universal_memory.rendering.token_embeddings import TokenEmbeddings


def test_rows_are_the_models_centred_and_of_unit_size() -> None:
    model = tiny_model("llama")
    embeddings = TokenEmbeddings(model)
    rows = model.get_output_embeddings().weight
    every = embeddings.outputs(torch.arange(len(rows)))
    torch.testing.assert_close(every.mean(0), torch.zeros(embeddings.width), atol=1e-5, rtol=0)
    torch.testing.assert_close(every[3] - every[5], (rows[3] - rows[5]) / rows.std())


def test_no_token_has_no_embedding() -> None:
    embeddings = TokenEmbeddings(tiny_model("gpt2"))
    found = embeddings.inputs(torch.tensor([[-1, 2], [3, -1]]))
    assert found.shape == (2, 2, embeddings.width)
    assert not found[0, 0].any() and not found[1, 1].any()
    assert found[0, 1].any()
