"""Pictures that cover the home: floors, walls, paintings, signs, labels and ArUco markers.

Every function returns one RGB image, uint8 [H, W, 3]. Nothing is random without a seed, so a
rebuilt bag shows the same home.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage
from PIL import ImageDraw, ImageFont

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]

MARKER_DICTIONARY = cv2.aruco.DICT_4X4_50

SIGN_WIDTH = 768  # pixels
LINE_STEP = 1.35  # of the letter size
# Signs are written with wide gaps, as sign writers do; OCR runs words together otherwise.
WORD_GAP = 1.6  # of the letter size

_FONTS = ("DejaVuSans-Bold.ttf", "LiberationSans-Bold.ttf", "Arial Bold.ttf")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for name in _FONTS:
        try:
            return ImageFont.truetype(name, size)
        except OSError:
            continue
    return ImageFont.load_default(size)


def _speckle(image: NDArray[np.floating], amount: float, seed: int) -> Image:
    """Adds coarse noise: fine noise would only cost JPEG bytes."""
    height, width = image.shape[:2]
    noise = np.random.default_rng(seed).normal(0.0, amount, (height // 16, width // 16))
    smooth = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(image + smooth[..., None], 0, 255).astype(np.uint8)


def planks(colour: Colour, seed: int, rows: int = 8, size: int = 512) -> Image:
    """Wooden boards of slightly different shade with dark joints."""
    random = np.random.default_rng(seed)
    image = np.empty((size, size, 3), np.float64)
    board = size // rows
    for row in range(rows):
        top = row * board
        joint = int(random.integers(0, size))
        for left, right in ((0, joint), (joint, size)):
            image[top : top + board, left:right] = np.array(colour) * random.uniform(0.88, 1.08)
        grain = random.normal(0.0, 3.0, (board, 1, 1))
        image[top : top + board] += grain
        image[top : top + 2] *= 0.62
        image[top : top + board, max(joint - 1, 0) : joint + 1] *= 0.62
    return _speckle(image, 3.0, seed)


def tiles(light: Colour, dark: Colour, rows: int = 4, size: int = 512) -> Image:
    """A checked floor with grey joints."""
    image = np.empty((size, size, 3), np.float64)
    side = size // rows
    for row in range(rows):
        for column in range(rows):
            colour = light if (row + column) % 2 else dark
            image[row * side : (row + 1) * side, column * side : (column + 1) * side] = colour
    for edge in range(0, size, side):
        image[edge : edge + 4] = 150
        image[:, edge : edge + 4] = 150
    return _speckle(image, 2.0, 3)


def plain(colour: Colour, seed: int, size: int = 256) -> Image:
    """Paint, cloth or brushed steel: one colour with faint clouds."""
    return _speckle(np.full((size, size, 3), colour, np.float64), 2.5, seed)


def stripes(first: Colour, second: Colour, count: int = 8) -> Image:
    """A striped rug or blanket."""
    band = 512 // (2 * count)
    rows = (np.arange(512) // band) % 2
    return np.where(rows[:, None, None] == 0, first, second).astype(np.uint8).repeat(512, axis=1)


def landscape(seed: int, width: int = 512, height: int = 384) -> Image:
    """Hills under an evening sky: a painting, or what a window shows."""
    random = np.random.default_rng(seed)
    sky = np.linspace((120, 170, 225), (245, 225, 200), height)
    image = np.repeat(sky[:, None, :], width, axis=1)
    columns = np.arange(width)
    rows = np.arange(height)[:, None]
    for layer in range(3):
        level = height * (0.5 + 0.14 * layer)
        ridge = level + 22 * np.sin(columns / random.uniform(35, 80) + random.uniform(0, 6))
        shade = np.array((110 - 25 * layer, 150 - 25 * layer, 95 - 22 * layer))
        image[rows >= ridge] = shade
    cv2.circle(image, (int(width * 0.72), int(height * 0.27)), 26, (255, 244, 200), -1)
    return image.astype(np.uint8)


def clock_face(hour: int, minute: int, size: int = 256) -> Image:
    """A wall clock; the digits are left out, so that OCR has nothing to invent."""
    image = np.full((size, size, 3), 246, np.uint8)
    middle = size // 2
    cv2.circle(image, (middle, middle), middle - 8, (60, 60, 70), 8, cv2.LINE_AA)
    for turns, length, width in (((hour + minute / 60) / 12, 0.45, 8), (minute / 60, 0.7, 5)):
        angle = 2 * np.pi * turns - np.pi / 2
        tip = (
            int(middle + length * middle * np.cos(angle)),
            int(middle + length * middle * np.sin(angle)),
        )
        cv2.line(image, (middle, middle), tip, (40, 40, 45), width, cv2.LINE_AA)
    return image


def sign(lines: tuple[str, ...], ink: Colour, paper: Colour, aspect: float) -> Image:
    """Text as large as it fits, centred on paper with a border.

    Args:
        lines: one to four short lines.
        ink, paper: colours of text and ground.
        aspect: width / height of the sign in the home.
    Raises:
        ValueError: no line to write.
    """
    if not lines:
        raise ValueError("a sign needs at least one line of text, got none")
    width = SIGN_WIDTH
    height = int(width / aspect)
    image = PillowImage.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(image)
    draw.rectangle((6, 6, width - 7, height - 7), outline=ink, width=5)
    size = height // len(lines)
    while size > 12 and (
        max(_length(line, size) for line in lines) > width * 0.86
        or size * LINE_STEP * len(lines) > height * 0.86
    ):
        size -= 2
    top = (height - size * LINE_STEP * (len(lines) - 1)) / 2
    for number, line in enumerate(lines):
        at = (width - _length(line, size)) / 2
        for word in line.split():
            draw.text((at, top + number * size * LINE_STEP), word, ink, _font(size), anchor="lm")
            at += _font(size).getlength(word) + WORD_GAP * size
    return np.asarray(image)


def _length(line: str, size: int) -> float:
    """Width of a line with its word gaps [pixels]."""
    words = line.split()
    return sum(_font(size).getlength(word) for word in words) + WORD_GAP * size * (len(words) - 1)


def marker(number: int, size: int = 512) -> Image:
    """ArUco marker `number` of DICT_4X4_50 with its quiet zone."""
    dictionary = cv2.aruco.getPredefinedDictionary(MARKER_DICTIONARY)
    border = size // 6
    code = cv2.aruco.generateImageMarker(dictionary, number, size - 2 * border)
    padded = cv2.copyMakeBorder(code, *(border,) * 4, cv2.BORDER_CONSTANT, value=255)
    return cv2.cvtColor(padded, cv2.COLOR_GRAY2RGB)


def marker_card(number: int, lines: tuple[str, ...], aspect: float) -> Image:
    """A white card with a marker in the middle and, if there are `lines`, text above it."""
    width = SIGN_WIDTH
    height = int(width / aspect)
    card = np.full((height, width, 3), 255, np.uint8)
    head = height // 4 if lines else 0
    if lines:
        card[:head] = sign(lines, (20, 20, 20), (255, 255, 255), width / head)[:head]
    side = height - head
    left = (width - side) // 2
    card[head:, left : left + side] = marker(number, side)
    return card


def png(image: Image) -> bytes:
    """The image as PNG bytes, the form MuJoCo reads assets in."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f"could not encode an image of shape {image.shape} as PNG")
    return data.tobytes()
