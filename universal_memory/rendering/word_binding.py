"""Which words of a memory belong to which: whose tea it is, what was done at which time.

A text that tells of two people holds two names, two deeds and two times, and an answer must come
with the question's. Attention among the seats that is learned from answers alone stays flat in such
texts: a few answer tokens say too little of it. This attention is taught what belongs to what
directly (`training.binding`), by what the corpus knows of its sentences; no language model is
needed for that.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.space.encoder import SEATS, SLOT_WIDTH, SLOTS

WIDTH = 256
BLOCKS = 3
HEADS = 4
FAR = -1e4  # a seat without a word


class WordBinding(nn.Module):
    """Log-shares of attention from every seat to the seats of the words it belongs with."""

    def __init__(self, token_width: int) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(SEATS * SLOTS, WIDTH) * 0.5)
        self.token = nn.Linear(token_width, WIDTH)
        self.seat = nn.Linear(SLOT_WIDTH, WIDTH)
        block = nn.TransformerEncoderLayer(
            WIDTH, HEADS, 4 * WIDTH, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.blocks = nn.TransformerEncoder(
            block, BLOCKS, norm=nn.LayerNorm(WIDTH), enable_nested_tensor=False
        )
        self.out = nn.Linear(WIDTH, 2 * WIDTH)

    def forward(self, seats: Tensor, tokens: Tensor, taken: Tensor) -> Tensor:
        """Float32 [memories, seats, seats], a row each for what a seat belongs with.

        `seats`: [memories, seats, 256], in context (`WordContext`). `tokens`: [memories, seats,
        token_width], embeddings of the pieces. `taken`: bool [memories, seats].
        """
        states = self.seat(seats) + self.token(tokens) + self.place[: seats.shape[1]]
        # A memory of nothing attends to its empty seats: a softmax over none would be no number.
        empty = ~taken & taken.any(1, keepdim=True)
        query, key = self.out(self.blocks(states, src_key_padding_mask=empty)).chunk(2, dim=-1)
        scores = (query @ key.mT / WIDTH**0.5).float()
        return F.log_softmax(scores.masked_fill(~taken.unsqueeze(1), FAR), dim=-1)
