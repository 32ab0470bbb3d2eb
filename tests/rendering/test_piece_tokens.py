"""How a model writes word pieces: in every form, and nothing where it cannot."""

from __future__ import annotations

import pytest
import torch

from universal_memory.rendering.piece_tokens import NONE, piece_tokens, spoken
from universal_memory.runtime.language_model import LanguageModel

PIECES = ["[UNK]", "tea", "##room", "2", "[", "zyxwvutsrqponmlkjihg"]


def said(language_model: LanguageModel, piece: str, flags: str) -> str:
    tokens = piece_tokens(PIECES, language_model.tokenizer)
    row = spoken(
        tokens,
        torch.tensor([PIECES.index(piece)]),
        torch.tensor([[flag == "1" for flag in flags]]),
    )[0]
    return str(language_model.tokenizer.decode(row[row != NONE]))


@pytest.mark.parametrize(
    ("piece", "flags", "wanted"),
    [
        ("tea", "000", " tea"),
        ("tea", "100", " Tea"),
        ("tea", "110", " TEA"),
        ("tea", "001", "tea"),
        ("##room", "001", "room"),
        ("2", "000", " 2"),
        ("2", "001", "2"),
        ("[", "001", "["),
    ],
)
def test_every_form_has_its_tokens(
    language_model: LanguageModel, piece: str, flags: str, wanted: str
) -> None:
    assert said(language_model, piece, flags) == wanted


@pytest.mark.parametrize("piece", ["[UNK]", "zyxwvutsrqponmlkjihg"])
def test_what_cannot_be_said_has_none(language_model: LanguageModel, piece: str) -> None:
    assert said(language_model, piece, "000") == ""
