"""What every word piece of a memory is among the others: a small transformer over the seats."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from universal_memory.space.encoder import SEATS, SLOT_WIDTH, SLOTS

BLOCKS = 4
HEADS = 4


class WordContext(nn.Module):
    """Adds to seats what the words around them make of them.

    The space's seats say little beside which piece they hold; the pieces are read without fault,
    so that their context can be learned again here, in the model's own tokens. Its last map starts
    at zero: it adds nothing before it is trained.
    """

    def __init__(self, token_width: int, width: int = SLOT_WIDTH) -> None:
        super().__init__()
        self.place = nn.Parameter(torch.randn(SEATS * SLOTS, width) * 0.5)
        self.token = nn.Linear(token_width, width)
        block = nn.TransformerEncoderLayer(
            width, HEADS, 4 * width, dropout=0.0, activation="gelu", batch_first=True,
            norm_first=True,
        )  # fmt: skip
        self.blocks = nn.TransformerEncoder(
            block, BLOCKS, norm=nn.LayerNorm(width), enable_nested_tensor=False
        )
        # Deep and trained for a short time: each block starts as nothing.
        for layer in self.blocks.layers:
            for last in (layer.self_attn.out_proj, layer.linear2):
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, seats: Tensor, tokens: Tensor, taken: Tensor) -> Tensor:
        """Seats float32 [memories, seats, 256] in context; empty ones stay as they are.

        `tokens`: float32 [memories, seats, token_width], embeddings of the pieces; `taken`: bool
        [memories, seats].
        """
        start = seats + self.place[: seats.shape[1]] + self.token(tokens)
        # A memory of nothing attends to its empty seats: a softmax over none would be no number.
        empty = ~taken & taken.any(1, keepdim=True)
        added = self.out(self.blocks(start, src_key_padding_mask=empty))
        return seats + added * taken.unsqueeze(-1)
