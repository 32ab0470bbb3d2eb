"""Token embeddings: the model's own rows, centred, and nothing for no token."""

from __future__ import annotations

import pytest
import torch
from tiny_models import VOCABULARY, WIDTH, tiny_model

from universal_memory.rendering.architecture import UnknownArchitectureError
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


def test_an_output_embedding_narrower_than_hidden_states_is_what_says_its_token_there() -> None:
    model = tiny_model("opt_narrow")
    embeddings = TokenEmbeddings(model)
    assert (embeddings.width, embeddings.output_width) == (24, WIDTH)
    says = embeddings.outputs(torch.arange(VOCABULARY))
    assert 0.5 < says.std() < 2.0
    raised = model.lm_head(model.model.decoder.project_out(says))
    raised = raised - raised.mean(0)
    assert (raised.argmax(1) == torch.arange(VOCABULARY)).float().mean() > 0.9


def test_no_way_from_hidden_states_to_output_embeddings_is_told() -> None:
    model = tiny_model("opt_narrow")
    model.model.decoder.project_out = None
    with pytest.raises(UnknownArchitectureError, match="of 24 numbers, hidden states of 32, and 0"):
        TokenEmbeddings(model)
