"""Seated pieces: the words that the space's reader finds in a Universal Semantic Vector.

A memory file holds no text, but whoever has the reader of its space can read up to 64 word pieces
out of it. That is what renderers and routers do, and what anybody else can do, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.space.encoder import SLOTS
from universal_memory.space.semantic_space import SemanticSpace

BRACKETS = ("(", "[", "{", "<")


@dataclass(frozen=True)
class SeatedPiece:
    """A word piece as it is written. `joined`: it goes on with the piece before, without a space.

    `seat`: 0 to 63, in the order of the text.
    """

    seat: int
    text: str
    joined: bool

    @property
    def slot(self) -> int:
        """The row of the USV that it sits in."""
        return self.seat % SLOTS


def seated_pieces(space: SemanticSpace, usv: NDArray[np.float32]) -> list[SeatedPiece]:
    """The word pieces of one memory, float32 [16, 256], in the order of the text."""
    reading = space.reader(torch.from_numpy(usv[np.newaxis].copy()))
    vocabulary = space.tower.codes.pieces
    found = []
    for seat in reading.taken[0].nonzero().squeeze(1).tolist():
        text = vocabulary[int(reading.pieces[0, seat])].removeprefix("##")
        capital, capitals, joined = reading.flags[0, seat].tolist()
        written = text.upper() if capitals else text.capitalize() if capital else text
        found.append(SeatedPiece(seat, written, joined))
    return found


def text_of(pieces: Sequence[SeatedPiece]) -> str:
    """Pieces put together to words and sentences; after an opening bracket there is no space."""
    text = ""
    for piece in pieces:
        apart = not piece.joined and not text.endswith(BRACKETS)
        text += f" {piece.text}" if apart else piece.text
    return text.strip()
