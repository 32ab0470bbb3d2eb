"""Spelling: letters, case and neighbourhood of word pieces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from universal_memory.space.spelling import FLAGS, FROM_START, SPELLING_WIDTH, SYMBOLS
from universal_memory.space.text_tower import PARTS, TextTower


def spelled(tower: TextTower, text: str) -> Tensor:
    """Spelling of every piece of `text`: [pieces, SPELLING_WIDTH], ones and zeros."""
    found = tower([text])
    return (found.states[0, found.mask[0], PARTS[0] + PARTS[1] :] > 0).int()


def flags(tower: TextTower, text: str) -> list[list[int]]:
    return spelled(tower, text)[:, -FLAGS:].tolist()


def test_letters_stand_at_their_places(tower: TextTower) -> None:
    piece = spelled(tower, "tea")[0]
    ones = piece.nonzero().flatten().tolist()
    width = len(SYMBOLS)
    start = [place * width + SYMBOLS.index(sign) for place, sign in enumerate("tea")]
    end = [(FROM_START + place) * width + SYMBOLS.index(sign) for place, sign in enumerate("aet")]
    assert ones == start + end
    assert piece.shape == (SPELLING_WIDTH,)


def test_case_and_neighbourhood_are_flags(tower: TextTower) -> None:
    assert flags(tower, "Tea for ANNA") == [[1, 0, 0], [0, 0, 0], [1, 1, 0]]
    # B stands alone, 2 and 7 right after it; a typed space parts, a joint does not.
    assert flags(tower, "B27") == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]
    assert flags(tower, "B 27") == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]


@given(text=st.text(max_size=40))
def test_any_text_has_a_spelling(tower: TextTower, text: str) -> None:
    assert spelled(tower, text).shape[1] == SPELLING_WIDTH
