"""A heat map of an answer: words of memory files down the side, tokens said and layers above."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from universal_memory.runtime.anatomy import Anatomy

CELL_WIDTH, CELL_HEIGHT, MARGIN = 34, 20, 12  # [pixels]
TEXT_SIZE = 13
FOR, AGAINST = (200, 30, 30), (40, 80, 190)  # colours of the strongest effects
LONGEST = 24  # characters of a label

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class _Half:
    """One of both maps: values [rows, columns]."""

    values: NDArray[np.float32]
    columns: list[str]
    what: str

    @property
    def most(self) -> float:
        """The strongest effect [nats]."""
        return float(np.abs(self.values).max()) or 1.0

    @property
    def legend(self) -> str:
        """What the columns are, and how much the strongest colour is."""
        return f"{self.what}, up to {self.most:.1f} nats"

    def width(self, font: Font) -> int:
        """Of the cells or of the legend [pixels]."""
        return max(CELL_WIDTH * len(self.columns), _length(font, self.legend))

    def draw(self, image: Image.Image, left: int, top: int, font: Font) -> None:
        """Draw the cells from (left, top) on, the names above and the legend under them."""
        drawing = ImageDraw.Draw(image)
        for (row, column), value in np.ndenumerate(self.values):
            x, y = left + CELL_WIDTH * column, top + CELL_HEIGHT * row
            colour = _colour(float(value) / self.most)
            drawing.rectangle((x, y, x + CELL_WIDTH - 2, y + CELL_HEIGHT - 2), fill=colour)
        for column, name in enumerate(self.columns):
            label = Image.new("RGB", (_length(font, name) + 1, TEXT_SIZE + 4), "white")
            ImageDraw.Draw(label).text((0, 0), name, "black", font)
            upright = label.rotate(90, expand=True)
            x = left + CELL_WIDTH * column + (CELL_WIDTH - upright.width) // 2
            image.paste(upright, (x, top - upright.height - 4))
        under = top + CELL_HEIGHT * len(self.values) + MARGIN
        drawing.text((left, under), self.legend, "black", font)


def draw(anatomy: Anatomy, title: str, rows: int = 24) -> Image.Image:
    """The `rows` word pieces that did the most, as an RGB image.

    Left, a column a token said: the effect of all layers; right, a column a layer: of all tokens.
    Red speaks for a token and blue against it; each half has its own scale, written under it.
    """
    by_token, by_layer = anatomy.effect.sum(1).T, anatomy.effect.sum(0).T
    chosen = np.argsort(-np.abs(by_token).max(1), kind="stable")[:rows]
    names = [
        f"{rank.memory_id[:8]}  slot {rank.slot:2}  {_written(rank.word)}"
        for rank in (anatomy.ranks[row] for row in chosen)
    ]
    font = ImageFont.load_default(TEXT_SIZE)
    side = MARGIN + max(_length(font, name) for name in names) + MARGIN
    halves = [
        _Half(by_token[chosen], [_written(token) for token in anatomy.tokens], "tokens said"),
        _Half(by_layer[chosen], [str(layer) for layer in anatomy.layers], "layers"),
    ]
    highest = max(_length(font, name) for half in halves for name in half.columns)
    top = 3 * MARGIN + 2 * TEXT_SIZE + highest
    width = side + sum(half.width(font) + 2 * MARGIN for half in halves)
    width = max(width, _length(font, title) + 2 * MARGIN)
    height = top + CELL_HEIGHT * len(names) + 3 * MARGIN + TEXT_SIZE
    image = Image.new("RGB", (width, height), "white")
    drawing = ImageDraw.Draw(image)
    drawing.text((MARGIN, MARGIN), title, "black", font)
    for row, name in enumerate(names):
        drawing.text((MARGIN, top + CELL_HEIGHT * row + 2), name, "black", font)
    left = side
    for half in halves:
        half.draw(image, left, top, font)
        left += half.width(font) + 2 * MARGIN
    return image


def save(anatomy: Anatomy, title: str, path: Path) -> None:
    """Write the map as PNG. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(anatomy, title).save(path, format="PNG")


def _colour(value: float) -> tuple[int, int, int]:
    """White to red for 0 to 1, white to blue for 0 to -1."""
    end = FOR if value > 0 else AGAINST
    red, green, blue = (round(255 + abs(value) * (part - 255)) for part in end)
    return red, green, blue


def _written(text: str) -> str:
    shown = "".join(one if one.isprintable() else "·" for one in text.replace(" ", "_"))
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def _length(font: Font, text: str) -> int:
    return int(font.getlength(text)) + 1
