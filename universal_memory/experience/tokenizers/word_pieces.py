"""How a text is cut before it goes to the encoder's WordPiece tokenizer: digits stand alone.

A number is one word piece or several, whatever its vocabulary happens to hold, and 272 looks like
274 to an embedding. Digit by digit every number and code can be told from its neighbours.
"""

from __future__ import annotations

import re

# A sign that tokenizers take for white space and nobody types.
JOINT = "\u2009"
_SEAM = re.compile(r"(?<=\d)(?=[^\W_])|(?<=[^\W\d_])(?=\d)")


def split_codes(text: str) -> str:
    """`text` with a JOINT between digits, and between digits and letters."""
    return _SEAM.sub(JOINT, text.replace(JOINT, " "))
