"""Line charts of benchmarks as PNG: a panel beside another, one legend for all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT, MARGIN = 460, 380, 16  # of a panel [pixels]
LEFT, BOTTOM, TOP = 64, 48, 40  # room for the labels of a panel
TEXT_SIZE, DOT, SHARPER = 13, 4, 2  # drawn so many times as large, for smooth lines
GREY, LIGHT = (90, 90, 90), (225, 225, 225)
COLOURS = (
    (120, 120, 120), (140, 86, 75), (188, 189, 34), (31, 119, 180), (23, 190, 207), (44, 160, 44),
    (148, 103, 189), (255, 127, 14), (227, 119, 194), (214, 39, 40), (244, 160, 160), (0, 0, 0),
)  # fmt: skip

Line = Sequence[tuple[float, float]]  # points (x, y), x positive
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


@dataclass(frozen=True)
class Panel:
    """Lines by name, over a logarithmic x; `logarithmic`: y too, else from 0 to `top`."""

    title: str
    x_label: str
    lines: Mapping[str, Line]
    logarithmic: bool = False
    top: float = 1.0

    def ticks(self) -> tuple[list[float], list[float]]:
        """Where the axes are labelled: powers of ten, or fifths of the top."""
        xs = [x for line in self.lines.values() for x, _ in line]
        if not self.logarithmic:
            return _decades(xs), [self.top * step / 5 for step in range(6)]
        return _decades(xs), _decades([y for line in self.lines.values() for _, y in line])


def draw(panels: Sequence[Panel], title: str) -> Image.Image:
    """The panels from left to right, as an RGB image; the legend is of the first one's lines."""
    names = list(panels[0].lines)
    font = ImageFont.load_default(TEXT_SIZE * SHARPER)
    legend = max((int(font.getlength(name)) for name in names), default=0) // SHARPER + 60
    width, height = WIDTH * len(panels) + legend, HEIGHT + TOP
    image = Image.new("RGB", (SHARPER * width, SHARPER * height), "white")
    drawing = _Drawing(image, font)
    drawing.text(MARGIN, MARGIN, title)
    colours = {name: COLOURS[row % len(COLOURS)] for row, name in enumerate(names)}
    for number, panel in enumerate(panels):
        _draw_panel(drawing, panel, WIDTH * number, colours)
    for row, name in enumerate(names):
        y = TOP + MARGIN + TEXT_SIZE + row * (TEXT_SIZE + 8)
        drawing.line([(width - legend + 4, y), (width - legend + 26, y)], colours[name], 2)
        drawing.dot(width - legend + 15, y, colours[name])
        drawing.text(width - legend + 34, y - TEXT_SIZE // 2 - 2, name)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def save(panels: Sequence[Panel], title: str, path: Path) -> None:
    """Write the chart as PNG. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(panels, title).save(path, format="PNG")


class _Drawing:
    """Draws in pixels of the image as it will be shown."""

    def __init__(self, image: Image.Image, font: Font) -> None:
        self._drawing, self._font = ImageDraw.Draw(image), font

    def text(self, x: float, y: float, text: str, colour: tuple[int, int, int] = (0, 0, 0)) -> None:
        self._drawing.text((SHARPER * x, SHARPER * y), text, colour, self._font)

    def width(self, text: str) -> float:
        return float(self._font.getlength(text)) / SHARPER

    def line(self, points: Line, colour: tuple[int, int, int], width: int = 1) -> None:
        scaled = [(SHARPER * x, SHARPER * y) for x, y in points]
        self._drawing.line(scaled, colour, SHARPER * width)

    def dot(self, x: float, y: float, colour: tuple[int, int, int]) -> None:
        box = [SHARPER * one for one in (x - DOT, y - DOT, x + DOT, y + DOT)]
        self._drawing.ellipse(box, colour)


def _draw_panel(
    drawing: _Drawing, panel: Panel, start: int, colours: Mapping[str, tuple[int, int, int]]
) -> None:
    left, right = start + LEFT, start + WIDTH - MARGIN
    top, bottom = TOP + MARGIN + TEXT_SIZE, TOP + HEIGHT - BOTTOM
    xs, ys = panel.ticks()

    def place(x: float, y: float) -> tuple[float, float]:
        along = _share(math.log10(x), math.log10(xs[0]), math.log10(xs[-1]))
        up = (
            _share(math.log10(y), math.log10(ys[0]), math.log10(ys[-1]))
            if panel.logarithmic
            else y / panel.top
        )
        return left + along * (right - left), bottom - up * (bottom - top)

    for y in ys:
        _, at = place(xs[0], y)
        drawing.line([(left, at), (right, at)], LIGHT)
        label = f"{y:,g}"
        drawing.text(left - 8 - drawing.width(label), at - TEXT_SIZE // 2 - 2, label, GREY)
    for x in xs:
        at, _ = place(x, ys[0] if panel.logarithmic else 0.0)
        drawing.line([(at, top), (at, bottom)], LIGHT)
        label = f"{x:,.0f}"
        drawing.text(at - drawing.width(label) / 2, bottom + 6, label, GREY)
    drawing.text(left, TOP + 2, panel.title)
    middle = (left + right - drawing.width(panel.x_label)) / 2
    drawing.text(middle, bottom + 10 + TEXT_SIZE, panel.x_label, GREY)
    for name, line in panel.lines.items():
        points = [place(x, y) for x, y in line]
        if len(points) > 1:
            drawing.line(points, colours[name], 2)
        for x, y in points:
            drawing.dot(x, y, colours[name])


def _decades(values: Sequence[float]) -> list[float]:
    """Powers of ten around positive values, at least two."""
    low = math.floor(math.log10(min(values))) if values else 0
    high = max(low + 1, math.ceil(math.log10(max(values))) if values else 1)
    return [10.0**power for power in range(low, high + 1)]


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low)
