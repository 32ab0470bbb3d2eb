"""How a language model writes word pieces: the tokens of every piece of the space, in every form.

The space's word pieces are most often one token of a model, too, and always a few. Answers are said
piece by piece: what a model has learned to say of one word it can then say of any other, since a
word never seen is made of pieces that have been.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

FORMS = 6  # lower case, capitalised, in capitals; each after white space, then joined to a piece
MOST_TOKENS = 4
BREAK = "\n"
NONE = -1


def piece_tokens(pieces: Sequence[str], tokenizer: Any) -> Tensor:
    """Token ids of word pieces: int64 [6, pieces, 4], filled up with -1.

    `pieces`: a WordPiece vocabulary. `tokenizer`: the language model's. A special piece ([UNK]) and
    one that takes more than four tokens have none: they cannot be said.
    """
    words = [piece.removeprefix("##") for piece in pieces]
    forms = [*words, *map(str.capitalize, words), *map(str.upper, words)]
    written = [" " + form for form in forms] + forms
    nothing = [NONE] * MOST_TOKENS
    special = {row for row, piece in enumerate(pieces) if len(piece) > 2 and piece[0] == "["}
    rows = [
        nothing
        if len(ids) > MOST_TOKENS or row % len(pieces) in special
        else (ids + nothing)[:MOST_TOKENS]
        for row, ids in enumerate(_inside(written, tokenizer))
    ]
    return torch.tensor(rows).view(FORMS, len(pieces), MOST_TOKENS)


def _inside(texts: Sequence[str], tokenizer: Any) -> list[list[int]]:
    """Token ids of texts as they are inside a longer one.

    Many a tokenizer (Llama 2, Mistral, Phi-3) puts a space before whatever it is given: after a
    line break it does not. Where a line break is no token of its own, the texts stand alone.
    """
    mark: list[int] = tokenizer(BREAK, add_special_tokens=False)["input_ids"]
    after = tokenizer([BREAK + text for text in texts], add_special_tokens=False)["input_ids"]
    if not mark or any(ids[: len(mark)] != mark for ids in after):
        alone: list[list[int]] = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return alone
    return [ids[len(mark) :] for ids in after]


def spoken(tokens: Tensor, pieces: Tensor, flags: Tensor) -> Tensor:
    """Tokens of written pieces: int64 [..., 4] of pieces int64 [...] and flags bool [..., 3].

    `tokens`: of `piece_tokens`. `flags`: starts with a capital, is in capitals, goes on with the
    piece before.
    """
    capital, capitals, joined = flags.unbind(-1)
    form = torch.where(capitals, 2, capital.long()) + 3 * joined.long()
    return tokens[form, pieces]


def after_bare_space(tokens: Tensor, pieces: Tensor, flags: Tensor) -> Tensor:
    """Whether the first token of written pieces is a bare space: bool [...].

    It is where the others are how the piece is written without one. As for `spoken`.
    """
    capital, capitals, joined = flags.unbind(-1)
    own = spoken(tokens, pieces, flags)
    without = spoken(tokens, pieces, torch.stack((capital, capitals, torch.ones_like(joined)), -1))
    same = (own[..., 1:] == without[..., :-1]).all(-1)
    return same & (own[..., 1] != NONE) & ~joined
