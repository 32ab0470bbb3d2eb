"""Cutting of codes before the WordPiece tokenizer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.experience.tokenizers.word_pieces import JOINT, split_codes


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("room 274", ["room 2", "7", "4"]),
        ("B27", ["B", "2", "7"]),
        ("20:30", ["2", "0:3", "0"]),
        ("5kg", ["5", "kg"]),
        ("plain words, no codes", ["plain words, no codes"]),
        ("", [""]),
    ],
)
def test_joints_stand_beside_digits(text: str, parts: list[str]) -> None:
    assert split_codes(text) == JOINT.join(parts)


@given(st.text())
def test_only_joints_are_added(text: str) -> None:
    assert split_codes(text).replace(JOINT, "") == text.replace(JOINT, " ")
