"""How word pieces are spelled: what a word embedding does not tell.

An embedding of `edith` means a woman's name; which letters it is made of has to be learned for
every word apart, so a name never trained on cannot be said, and 272 looks like 274. Beside the
embedding the encoder therefore sees the letters themselves, the case, and whether a piece stands
right after the one before. All of it belongs to no language model.
"""

from __future__ import annotations

import string
from typing import Any

import torch
from torch import Tensor

from universal_memory.experience.tokenizers.word_pieces import JOINT

SYMBOLS = string.ascii_lowercase + string.digits + "-"  # the last stands for any other sign
FROM_START, FROM_END = 10, 3
FLAGS = 3  # starts with a capital; is in capitals; stands right after the piece before
SPELLING_WIDTH = (FROM_START + FROM_END) * len(SYMBOLS) + FLAGS
_LEVEL = 6.0  # puts the few ones among many zeros at about unit variance


class Spelling:
    """Spelling of word pieces as numbers, from the vocabulary of a WordPiece tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        vocabulary = tokenizer.get_vocab()
        self.letters = torch.zeros(len(vocabulary), SPELLING_WIDTH - FLAGS, dtype=torch.int8)
        rows, columns = [], []
        for piece, index in vocabulary.items():
            word = piece.removeprefix("##").lower()
            for place, sign in enumerate(word[:FROM_START]):
                rows.append(index)
                columns.append(place * len(SYMBOLS) + _symbol(sign))
            for place, sign in enumerate(reversed(word[-FROM_END:])):
                rows.append(index)
                columns.append((FROM_START + place) * len(SYMBOLS) + _symbol(sign))
        self.letters[rows, columns] = 1

    def __call__(self, texts: list[str], ids: Tensor, offsets: Tensor) -> Tensor:
        """Float32 [batch, pieces, SPELLING_WIDTH] of tokenised `texts` (after `split_codes`).

        `ids` int64 [batch, pieces]; `offsets` int64 [batch, pieces, 2], where in the text a piece
        is; empty for special tokens.
        """
        flags = torch.tensor(
            [
                [_flags(text, start, end) for start, end in places]
                for text, places in zip(texts, offsets.tolist(), strict=True)
            ],
            dtype=torch.float32,
        )
        return _LEVEL * torch.cat([self.letters[ids].float(), flags], dim=-1)


def _symbol(sign: str) -> int:
    found = SYMBOLS.find(sign)
    return found if found >= 0 else len(SYMBOLS) - 1


def _flags(text: str, start: int, end: int) -> tuple[bool, bool, bool]:
    piece, before = text[start:end], text[start - 1 : start] if start else ""
    joined = bool(piece and before) and (before == JOINT or not before.isspace())
    return piece[:1].isupper(), len(piece) > 1 and piece.isupper(), joined
