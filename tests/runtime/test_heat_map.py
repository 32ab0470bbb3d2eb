"""The heat map has a row a word piece and a column a token and a layer, in the right colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from universal_memory.runtime.anatomy import Anatomy, Rank
from universal_memory.runtime.heat_map import AGAINST, CELL_HEIGHT, FOR, draw, save


def anatomy(ranks: int) -> Anatomy:
    """Two tokens, three layers; the last rank speaks for the first token, the one before against
    the second one."""
    effect = np.zeros((2, 3, ranks), np.float32)
    effect[0, 1, -1], effect[1, 2, -2] = 9.0, -9.0
    return Anatomy(
        tokens=(" weak", ".\n"),
        layers=(7, 8, 9),
        ranks=tuple(Rank("ab" * 32, seat, f"word{seat}", f" word{seat}") for seat in range(ranks)),
        probability=np.ones(2, np.float32),
        without=np.zeros(2, np.float32),
        fired=effect,
        effect=effect,
        manner=np.zeros((2, 3), np.float32),
    )


def counted(image: Image.Image, colour: tuple[int, int, int]) -> int:
    return int((np.asarray(image) == colour).all(-1).sum())


def test_what_speaks_for_a_token_is_red_and_against_it_blue() -> None:
    image = draw(anatomy(5), "How weak? weak")
    assert counted(image, FOR) == counted(image, AGAINST) > 0
    assert np.asarray(image)[-1].min() == 255  # nothing runs out of the picture


def test_only_the_strongest_rows_are_drawn() -> None:
    few, many = draw(anatomy(40), "Q", rows=5), draw(anatomy(40), "Q", rows=40)
    assert many.height - few.height == 35 * CELL_HEIGHT
    assert counted(few, FOR) == counted(many, FOR)


def test_it_is_written_as_png_where_asked(tmp_path: Path) -> None:
    save(anatomy(2), "Ünknown → 日本", tmp_path / "new" / "map.png")
    with Image.open(tmp_path / "new" / "map.png") as image:
        assert image.format == "PNG" and image.mode == "RGB"
