"""A reader of a space, and a tiny model that writes its word pieces."""

from __future__ import annotations

import pytest
import torch
from tiny_models import VOCABULARY, tiny_model
from torch import Tensor

from universal_memory.rendering.piece_tokens import FORMS, MOST_TOKENS
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.space.slot_reader import SlotReader

PIECES = 50


@pytest.fixture
def reader() -> SlotReader:
    """A reader of fifty word pieces; random slots have about half of their seats taken."""
    torch.manual_seed(3)
    reader = SlotReader(torch.randn(PIECES, 44))
    reader.flag_offset.data[0] = 0.0
    return reader.eval().requires_grad_(False)


@pytest.fixture
def embeddings() -> TokenEmbeddings:
    """Of the tiny Llama."""
    return TokenEmbeddings(tiny_model("llama"))


@pytest.fixture
def tokens() -> Tensor:
    """One to three tokens a piece."""
    drawn = torch.Generator().manual_seed(4)
    tokens = torch.randint(VOCABULARY, (FORMS, PIECES, MOST_TOKENS), generator=drawn)
    count = torch.randint(1, MOST_TOKENS, (FORMS, PIECES, 1), generator=drawn)
    return tokens.masked_fill(torch.arange(MOST_TOKENS) >= count, -1)
