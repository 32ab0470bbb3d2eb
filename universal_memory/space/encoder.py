"""The Universal Encoder: text states to a Universal Semantic Vector.

A Perceiver (Jaegle et al. 2021) with one learned latent a slot. Two things differ from the usual
recipe, because they are what makes an open vocabulary learnable on a CPU (docs/decisions.md):

- every slot starts out looking at its own sixteenth of the text (a learned Gaussian bias on the
  relative position of a word piece), so nothing is lost from the first step on;
- one cross-attention head starts as the principal components of the tower's word embeddings,
  so a slot starts as a linear image of words, never seen ones included.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.space.text_tower import CONTEXT_WIDTH, PARTS

SLOTS = 16
SLOT_WIDTH = 256


class CrossAttention(nn.Module):
    """Slots attend to text states; every head carries a full-width value.

    Shapes: slots [batch, 16, 256], states [batch, pieces, 1252], mask bool [batch, pieces].
    """

    def __init__(self, width: int = SLOT_WIDTH, heads: int = 4) -> None:
        super().__init__()
        self.centres: Tensor
        self.heads = heads
        self.slot_norm = nn.LayerNorm(width)
        # Word embedding and hidden state have scales of their own: normalise them apart.
        self.word_norm = nn.LayerNorm(PARTS[0])
        self.hidden_norm = nn.LayerNorm(PARTS[1])
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(CONTEXT_WIDTH, width)
        self.value = nn.Linear(CONTEXT_WIDTH, heads * width, bias=False)
        self.out = nn.Linear(heads * width, width, bias=False)
        self.sharpness = nn.Parameter(torch.full((heads, SLOTS), 0.0))
        self.register_buffer("centres", (torch.arange(SLOTS) + 0.5) / SLOTS, persistent=False)
        nn.init.normal_(self.out.weight, std=0.02)

    def forward(self, slots: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        """What every slot takes from the text."""
        batch, pieces, _ = states.shape
        words, hidden, spelling = states.split(PARTS, dim=-1)
        context = torch.cat([self.word_norm(words), self.hidden_norm(hidden), spelling], dim=-1)
        query = self.query(self.slot_norm(slots)).view(batch, SLOTS, self.heads, -1).transpose(1, 2)
        key = self.key(context).view(batch, pieces, self.heads, -1).transpose(1, 2)
        value = self.value(context).view(batch, pieces, self.heads, -1).transpose(1, 2)
        bias = self._position_bias(mask).masked_fill(~mask[:, None, None, :], float("-inf"))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return self.out(mixed.transpose(1, 2).reshape(batch, SLOTS, -1))

    def _position_bias(self, mask: Tensor) -> Tensor:
        """Gaussian preference of a slot for its part of the text: [batch, heads, 16, pieces]."""
        length = mask.sum(1, keepdim=True).clamp(min=1)
        place = (torch.arange(mask.shape[1], device=mask.device) + 0.5) / length
        distance = SLOTS * (place[:, None, :] - self.centres[None, :, None])
        sharpness = F.softplus(self.sharpness)
        return -sharpness[None, :, :, None] * distance.clamp(-8, 8).square()[:, None]


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

    def forward(self, slots: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        """The slots after this block."""
        slots = slots + self.cross(slots, states, mask)
        slots = slots + self.attention(slots)
        return slots + self.mlp(slots)


class UniversalEncoder(nn.Module):
    """Text states to Universal Semantic Vectors.

    Input: states float32 [batch, pieces, 1252], mask bool [batch, pieces].
    Output: float32 [batch, 16, 256]; every slot has mean 0 and variance 1 (L2 norm about 16).
    """

    def __init__(self, blocks: int = 3) -> None:
        super().__init__()
        self.latents = nn.Parameter(torch.randn(SLOTS, SLOT_WIDTH) * 0.3)
        self.blocks = nn.ModuleList(PerceiverBlock() for _ in range(blocks))

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """USVs of a batch of texts."""
        slots = self.latents.expand(states.shape[0], -1, -1)
        for block in self.blocks:
            slots = block(slots, states, mask)
        return F.layer_norm(slots, (SLOT_WIDTH,))

    @torch.no_grad()
    def start_from_words(self, word_embeddings: Tensor) -> Tensor:
        """Set the first head of the first block to the principal components of `word_embeddings`.

        `word_embeddings`: float32 [words, 384], the tower's word embeddings, frequent words.
        Returns the projection float32 [256, 384] of layer-normed word embeddings, scaled to unit
        variance, for a renderer's warm start.
        """
        words = F.layer_norm(word_embeddings, (word_embeddings.shape[1],))
        centred = words - words.mean(0)
        _, singular, basis = torch.linalg.svd(centred, full_matrices=False)
        variance = singular.square() / len(word_embeddings)
        projection = basis[:SLOT_WIDTH] / variance[:SLOT_WIDTH].mean().sqrt()
        block = self.blocks[0]
        assert isinstance(block, PerceiverBlock)
        cross = block.cross
        cross.value.weight[:SLOT_WIDTH].zero_()
        cross.value.weight[:SLOT_WIDTH, : projection.shape[1]] = projection
        cross.out.weight[:, :SLOT_WIDTH] = torch.eye(SLOT_WIDTH)
        return projection
