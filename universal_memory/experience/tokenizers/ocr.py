"""Text in view: signs, labels and notes, read from one image in the order a person would."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]

BORDER = 0.004  # of the image: text nearer to its edge is cut off
LONGEST = 200  # characters of one view


@dataclass(frozen=True)
class Line:
    """One line of text and its upright box in pixels; `whole` unless the image's edge cuts it."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    whole: bool = True

    @property
    def height(self) -> float:
        """Height of the letters, about."""
        return self.bottom - self.top

    def is_below(self, other: Line) -> bool:
        """Whether this line goes on where `other` ends: same sign, next row."""
        gap = self.top - other.bottom
        overlap = min(self.right, other.right) - max(self.left, other.left)
        size = max(self.height, other.height)
        return -0.5 * size < gap < size and overlap > 0 and self.top > other.top

    def is_beside(self, other: Line) -> bool:
        """Whether this line goes on to the right of `other`: same sign, same row."""
        size = max(self.height, other.height)
        level = abs(self.top + self.bottom - other.top - other.bottom) / 2 < 0.4 * size
        return level and -0.5 * size < self.left - other.right < size


class TextReader:
    """
    PP-OCRv4 (PaddleOCR 2023) through rapidocr-onnxruntime, which carries its weights.

    About 0.1 s of processor time for an image of 640x480. A line read with a probability below
    `min_confidence` is left out, and so is a sign that the edge of the image cuts off: half a
    message is a wrong message, and the robot will see the sign again.
    """

    def __init__(self, min_confidence: float = 0.7, threads: int = 1) -> None:
        from rapidocr_onnxruntime import RapidOCR

        self._min_confidence = min_confidence
        self._engine: Any = RapidOCR(
            intra_op_num_threads=threads,
            inter_op_num_threads=1,
            det_limit_type="max",
            det_limit_side_len=640,
        )

    def __call__(self, image: Image) -> str:
        """Return the text of an RGB image, signs separated by ", "; empty if nothing is legible."""
        found, _ = self._engine(np.ascontiguousarray(image[:, :, ::-1]), use_cls=False)
        return join_signs(
            select_lines(found or [], image.shape[1], image.shape[0], self._min_confidence)
        )


def select_lines(
    found: Sequence[Sequence[Any]], width: int, height: int, min_confidence: float
) -> list[Line]:
    """Return the believable lines of (corners, text, confidence), and any that is cut off."""
    lines = []
    margin_x, margin_y = max(2.0, BORDER * width), max(2.0, BORDER * height)
    for corners, text, confidence in found:
        (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
        whole = bool(
            margin_x <= left
            and margin_y <= top
            and right <= width - margin_x
            and bottom <= height - margin_y
        )
        words = clean(text)
        if not whole or (words and float(confidence) >= min_confidence):
            lines.append(Line(words, float(left), float(top), float(right), float(bottom), whole))
    return lines


def join_signs(lines: Sequence[Line]) -> str:
    """Join lines of a sign by spaces and signs that are whole by commas, top left first."""
    signs: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: (line.top, line.left)):
        before = [
            sign
            for sign in signs
            if any(line.is_below(one) or line.is_beside(one) or one.is_beside(line) for one in sign)
        ]
        merged = [one for sign in before for one in sign] + [line]
        signs = [sign for sign in signs if sign not in before] + [merged]
    signs = [sign for sign in signs if all(line.whole for line in sign)]
    order = in_reading_order([sign[0] for sign in signs])
    signs.sort(key=lambda sign: order.index(sign[0]))
    texts = (" ".join(line.text for line in in_reading_order(sign)) for sign in signs)
    return ", ".join(texts)[:LONGEST]


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """Return rows from the top, each from the left."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.top):
        row = next((row for row in rows if line.top - row[0].top < 0.5 * row[0].height), None)
        if row is None:
            rows.append([line])
        else:
            row.append(line)
    return [line for row in rows for line in sorted(row, key=lambda line: line.left)]


def clean(text: str) -> str:
    """Return printable text with single spaces, or nothing when it holds no letter or digit."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = re.sub(r"\s+([,.;:!?])", r"\1", " ".join(text.split()))
    text = text.strip(" .,;:|-_'\"`~*")
    return text if re.search(r"\w", text) and (len(text) > 1 or text.isdigit()) else ""
