"""The Universal Encoder: text states to a Universal Semantic Vector.

A Perceiver (Jaegle et al. 2021) with one learned latent a slot. What makes an open vocabulary
learnable is where its slots start (docs/decisions.md): slot s starts with word pieces s, s + 16,
s + 32 and s + 48 of the text, each in a **seat** of its own, a subspace that carries the piece's
code whole. What the blocks add is what the pieces mean together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.space.piece_codes import MARK_WIDTH
from universal_memory.space.text_tower import CONTEXT_WIDTH, PARTS

SLOTS = 16
SLOT_WIDTH = 256
SEATS = 4  # of a slot


class Seating(nn.Module):
    """Puts the first 64 word pieces of a text into the seats of the slots.

    Shapes: context [batch, pieces, 816], mask bool [batch, pieces] to slots [batch, 16, 256].
    """

    def __init__(self) -> None:
        super().__init__()
        seats = torch.empty(SEATS * MARK_WIDTH, SLOT_WIDTH)
        nn.init.orthogonal_(seats)
        self.marks = nn.Parameter(seats.view(SEATS, MARK_WIDTH, SLOT_WIDTH).clone())
        width = sum(PARTS[:2])
        meanings = torch.randn(SEATS, width, SLOT_WIDTH) / width**0.5
        self.meanings = nn.Parameter(meanings - meanings @ seats.T @ seats)  # beside the seats

    def forward(self, context: Tensor, mask: Tensor) -> Tensor:
        """What every slot starts with, beside its latent."""
        batch, _, width = context.shape
        seated = (context * mask.unsqueeze(-1))[:, : SEATS * SLOTS]
        seated = F.pad(seated, (0, 0, 0, SEATS * SLOTS - seated.shape[1]))
        seated = seated.view(batch, SEATS, SLOTS, width)
        meanings, marks = seated.split([sum(PARTS[:2]), MARK_WIDTH], dim=-1)
        return torch.einsum("bkse,kew->bsw", meanings, self.meanings) + torch.einsum(
            "bkse,kew->bsw", marks, self.marks
        )


class CrossAttention(nn.Module):
    """Pre-norm attention of the slots to the text.

    Shapes: slots [batch, 16, 256], context [batch, pieces, 816], mask bool [batch, pieces].
    """

    def __init__(self, width: int = SLOT_WIDTH, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.inputs = nn.Linear(CONTEXT_WIDTH, 2 * width)
        self.out = nn.Linear(width, width)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, slots: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """What every slot takes from the text."""
        batch, pieces, _ = context.shape
        query = self.query(self.norm(slots)).view(batch, SLOTS, self.heads, -1).transpose(1, 2)
        parts = self.inputs(context).view(batch, pieces, 2, self.heads, -1)
        key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None])
        return self.out(mixed.transpose(1, 2).reshape(batch, SLOTS, -1))


class SelfAttention(nn.Module):
    """Pre-norm self-attention among the slots: [batch, 16, 256] to the same."""

    def __init__(self, width: int = SLOT_WIDTH, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.inputs = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        nn.init.normal_(self.out.weight, std=0.01)
        nn.init.zeros_(self.out.bias)

    def forward(self, slots: Tensor) -> Tensor:
        """What every slot takes from the others."""
        batch, count, width = slots.shape
        parts = self.inputs(self.norm(slots)).view(batch, count, 3, self.heads, -1)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(query, key, value)
        return self.out(mixed.transpose(1, 2).reshape(batch, count, width))


class PerceiverBlock(nn.Module):
    """Cross-attention to the text, self-attention among the slots, MLP; all residual."""

    def __init__(self, width: int = SLOT_WIDTH) -> None:
        super().__init__()
        self.cross = CrossAttention(width)
        self.attention = SelfAttention(width)
        last = nn.Linear(4 * width, width)
        nn.init.normal_(last.weight, std=0.01)
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), last)

    def forward(self, slots: Tensor, context: Tensor, mask: Tensor) -> Tensor:
        """The slots after this block."""
        slots = slots + self.cross(slots, context, mask)
        slots = slots + self.attention(slots)
        return slots + self.mlp(slots)


class UniversalEncoder(nn.Module):
    """Text states to Universal Semantic Vectors.

    Input: states float32 [batch, pieces, 816], mask bool [batch, pieces].
    Output: float32 [batch, 16, 256]; every slot has mean 0 and variance 1 (L2 norm about 16).
    """

    def __init__(self, blocks: int = 3) -> None:
        super().__init__()
        # Word embedding and hidden state have scales of their own: normalise them apart.
        self.word_norm = nn.LayerNorm(PARTS[0])
        self.hidden_norm = nn.LayerNorm(PARTS[1])
        self.seating = Seating()
        seats = self.seating.marks.detach().flatten(0, 1)
        latents = torch.randn(SLOTS, SLOT_WIDTH)
        self.latents = nn.Parameter(latents - latents @ seats.T @ seats)
        self.blocks = nn.ModuleList(PerceiverBlock() for _ in range(blocks))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """USVs of a batch of texts."""
        words, hidden, marks = states.split(PARTS, dim=-1)
        context = torch.cat([self.word_norm(words), self.hidden_norm(hidden), marks], dim=-1)
        slots = self.latents + self.seating(context, mask)
        for block in self.blocks:
            slots = block(slots, context, mask)
        return F.layer_norm(slots, (SLOT_WIDTH,))
