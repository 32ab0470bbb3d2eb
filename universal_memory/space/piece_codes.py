"""Codes of word pieces: which word it is, beside what it means.

A word embedding of `edith` means a woman's name; which name it is gets lost among its neighbours,
and a name never trained on cannot be told from them at all. So every word piece also has a code: 44
signs of a hash of its letters, as good as orthogonal to all others, which linear maps carry whole
and a nearest-neighbour search reads back (binary spatter codes, Kanerva 1996; Plate 1995). Beside
it stand four flags on how the piece is written. It belongs to no language model.
"""

from __future__ import annotations

from hashlib import shake_256
from typing import Any

import numpy as np
import torch
from torch import Tensor

from universal_memory.experience.tokenizers.word_pieces import JOINT

CODE_WIDTH = 44  # signs
FLAGS = 4  # there is a piece; starts with a capital; is in capitals; goes on with the piece before
MARK_WIDTH = CODE_WIDTH + FLAGS
OPENING = frozenset("\"'([{<“‘")  # after these a word begins


class PieceCodes:
    """Codes and flags of the word pieces of a WordPiece tokenizer.

    `pieces`: the vocabulary in the order of its ids. `codes`: float32 [vocabulary, 44], each -1 or
    +1: the first bits of SHAKE-256 of the piece, most significant first.
    """

    def __init__(self, tokenizer: Any) -> None:
        vocabulary = tokenizer.get_vocab()
        self.pieces = sorted(vocabulary, key=lambda piece: int(vocabulary[piece]))
        size = -(-CODE_WIDTH // 8)
        digests = b"".join(shake_256(piece.encode()).digest(size) for piece in self.pieces)
        bits = np.unpackbits(np.frombuffer(digests, np.uint8).reshape(-1, size), axis=1)
        self.codes = torch.from_numpy(2.0 * bits[:, :CODE_WIDTH].astype(np.float32) - 1.0)

    def flags(self, texts: list[str], offsets: Tensor) -> Tensor:
        """How pieces are written: float32 [batch, pieces, 4], each -1 or +1.

        `offsets` int64 [batch, pieces, 2]: where in its text (after `split_codes`) a piece is;
        empty for special tokens.
        """
        rows = [
            [_flags(text, start, end) for start, end in places]
            for text, places in zip(texts, offsets.tolist(), strict=True)
        ]
        return 2.0 * torch.tensor(rows, dtype=torch.float32) - 1.0

    def marks(self, ids: Tensor, flags: Tensor) -> Tensor:
        """Codes and flags one after another: float32 [batch, pieces, 48]."""
        return torch.cat([self.codes[ids], flags], dim=-1)


def _flags(text: str, start: int, end: int) -> tuple[bool, bool, bool, bool]:
    piece, before = text[start:end], text[start - 1 : start] if start else ""
    apart = not before or (before != JOINT and before.isspace())
    # An apostrophe opens a quotation only where a word begins.
    opened = before in OPENING and (before != "'" or start < 2 or text[start - 2].isspace())
    return True, piece[:1].isupper(), len(piece) > 1 and piece.isupper(), not (apart or opened)
