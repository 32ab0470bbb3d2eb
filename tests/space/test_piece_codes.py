"""Codes of word pieces: the same everywhere, far apart, with how the piece is written."""

from __future__ import annotations

from hashlib import shake_256

import pytest
import torch

from universal_memory.space.piece_codes import CODE_WIDTH
from universal_memory.space.text_tower import TextTower


def test_a_code_is_the_first_bits_of_a_hash(tower: TextTower) -> None:
    index = tower.tokenizer.get_vocab()["##ing"]
    digest = int.from_bytes(shake_256(b"##ing").digest(6), "big") >> (48 - CODE_WIDTH)
    bits = [int(value > 0) for value in tower.codes.codes[index]]
    assert "".join(map(str, bits)) == f"{digest:0{CODE_WIDTH}b}"
    assert tower.codes.pieces[index] == "##ing"


def test_codes_are_far_apart(tower: TextTower) -> None:
    some = tower.codes.codes[::40]
    alike = some @ tower.codes.codes.T / CODE_WIDTH
    alike[torch.arange(len(some)), torch.arange(0, len(tower.codes.codes), 40)] = 0
    assert alike.max() < 0.85  # at least four signs differ


@pytest.mark.parametrize(
    ("text", "capital", "capitals", "joined"),
    [
        ("Anna likes TEA.", "1010", "0010", "0001"),
        ("B27", "100", "000", "011"),
        ('says "Room 3"', "00100", "00000", "00001"),
        ("Anna's", "100", "000", "011"),
        ("'tis 'so'", "00000", "00000", "00001"),
    ],
)
def test_flags_tell_how_a_piece_is_written(
    tower: TextTower, text: str, capital: str, capitals: str, joined: str
) -> None:
    _, flags = tower.written(text)
    assert (flags[:, 0] == 1).all()
    for column, wanted in enumerate((capital, capitals, joined), 1):
        assert "".join(str(int(flag > 0)) for flag in flags[:, column]) == wanted, column
