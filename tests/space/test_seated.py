"""The words that a reader of the space finds in a USV, as they were written."""

from __future__ import annotations

import pytest
import torch

from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.seated import SeatedPiece, seated_pieces, text_of
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower


def test_pieces_are_put_together_as_they_were_written() -> None:
    pieces = [
        SeatedPiece(0, "Anna", False), SeatedPiece(1, "'", True), SeatedPiece(2, "s", True),
        SeatedPiece(17, "NASA", False), SeatedPiece(18, "mug", False), SeatedPiece(19, ".", True),
    ]  # fmt: skip
    assert text_of(pieces) == "Anna's NASA mug."
    assert [piece.slot for piece in pieces] == [0, 1, 2, 1, 2, 3]
    assert text_of([]) == ""


def test_seats_are_in_the_order_of_the_text(tower: TextTower) -> None:
    torch.manual_seed(0)
    space = SemanticSpace(tower, UniversalEncoder(blocks=1), "test-space")
    pieces = seated_pieces(space, space.encode(["The ladder is in the hall."])[0])
    seats = [piece.seat for piece in pieces]
    assert seats == sorted(set(seats)) and all(0 <= seat < 64 for seat in seats)
    assert not any(piece.text.startswith("##") for piece in pieces)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["Anna's code is KX-2093.", "Sign reads: NASA, room 7."])
def test_the_trained_reader_recovers_the_text(text: str) -> None:
    space = SemanticSpace.load()
    assert text_of(seated_pieces(space, space.encode([text])[0])) == text
