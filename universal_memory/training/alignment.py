"""Contrastive alignment: a USV is to be told, of many, by what other models see in its text.

InfoNCE (van den Oord et al. 2018) as in CLIP (Radford et al. 2021): one linear head for USVs, one
for each view, a learned temperature, and both directions. The heads are thrown away after training;
what they leave behind is a space that holds what the views agree on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.space.encoder import SLOT_WIDTH, SLOTS
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.views import View

COMMON_WIDTH = 128  # of what USVs and views are compared in
BANK = 256  # texts seen before, as further negatives of a USV
AT_ONCE = 16
TEMPERATURE = 0.07  # at the start, as CLIP
LARGEST_SCALE = 100.0


class ViewHead(nn.Module):
    """A view, standardised, in few dimensions; with a bank of the texts it saw last.

    The bank holds what the view made of them, before the head. A view is frozen, so that nothing
    in the bank grows stale, as the embeddings of a momentum encoder do (He et al. 2020).
    """

    def __init__(self, view: View) -> None:
        super().__init__()
        self.view = view
        self.linear = nn.Linear(view.width, COMMON_WIDTH)
        self.bank: Tensor
        self.mean: Tensor
        self.spread: Tensor
        self.register_buffer("bank", torch.zeros(BANK, view.width))
        self.register_buffer("mean", torch.zeros(view.width))
        self.register_buffer("spread", torch.ones(view.width))

    def fill(self, seen: Tensor) -> None:
        """Start from what the view made of texts: float32 [256, width]."""
        self.mean, self.spread = seen.mean(0), seen.std(0).clamp(min=1e-6)
        self.bank = self._standard(seen)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors [texts + 256, 128] of `texts` and of the bank; the bank takes them in."""
        known = torch.cat([self._standard(self.view(texts)), self.bank])
        if self.training:
            self.bank = known[:BANK]
        return F.normalize(self.linear(known), dim=-1)

    def _standard(self, seen: Tensor) -> Tensor:
        return (seen - self.mean) / self.spread


class Alignment(nn.Module):
    """The contrastive loss of USVs and `views`, and the heads it needs. `weight`: in the training.

    Its state is part of a checkpoint, the views' own weights are not.
    """

    def __init__(self, views: Sequence[View], weight: float) -> None:
        super().__init__()
        self.weight = weight
        self.usv_head = nn.Linear(SLOTS * SLOT_WIDTH, COMMON_WIDTH)
        self.heads = nn.ModuleList(ViewHead(view) for view in views)
        self.sharpness = nn.Parameter(torch.tensor(math.log(1.0 / TEMPERATURE)))

    @property
    def names(self) -> list[str]:
        """Names of the views."""
        return [head.view.name for head in self._heads()]

    @torch.no_grad()
    def start(self, encode: Callable[[list[str]], Tensor]) -> None:
        """Measure every view, and fill its bank, on texts that are not trained on.

        `encode`: texts to USVs [texts, 16, 256], in the space that the training starts from.
        """
        generator = EpisodeGenerator(seed=30_000_001)
        texts = [generator.episode(1).text for _ in range(BANK)]
        parts = [texts[at : at + AT_ONCE] for at in range(0, BANK, AT_ONCE)]
        for head in self._heads():
            head.fill(torch.cat([head.view(part) for part in parts]))
        # What is the same in all USVs would make them all alike to begin with.
        usual = torch.cat([encode(part).flatten(1) for part in parts]).mean(0)
        self.usv_head.bias.copy_(-self.usv_head.weight @ usual)

    def forward(self, usv: Tensor, texts: Sequence[str]) -> Tensor:
        """Mean loss of the views, of USVs float32 [texts, 16, 256] and their texts.

        A USV has the other texts of the batch and the bank as negatives, a text the USVs of the
        batch.
        """
        own = torch.arange(len(usv), device=usv.device)
        mine = F.normalize(self.usv_head(usv.flatten(1)), dim=-1)
        mine = self.sharpness.exp().clamp(max=LARGEST_SCALE) * mine
        losses = []
        for head in self._heads():
            level = mine @ head(texts).T
            back = level[:, : len(usv)].T
            losses.append((F.cross_entropy(level, own) + F.cross_entropy(back, own)) / 2)
        return torch.stack(losses).mean()

    def _heads(self) -> list[ViewHead]:
        return [head for head in self.heads if isinstance(head, ViewHead)]
