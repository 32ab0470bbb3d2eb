"""MJCF geoms of the home: boxes, round things, pictures on walls. Metres and degrees."""

from __future__ import annotations

import math

import numpy as np

Vector = tuple[float, float, float]

_INERT = 'contype="0" conaffinity="0"'  # nothing moves, so nothing needs to collide


def numbers(values: tuple[float, ...]) -> str:
    """Values as an MJCF attribute."""
    return " ".join(f"{value:.4f}" for value in values)


def box(surface: str, centre: Vector, size: Vector, yaw: float = 0.0) -> str:
    """A box by its centre and full size, turned by `yaw`."""
    half = tuple(length / 2 for length in size)
    return (
        f'<geom type="box" material="{surface}" pos="{numbers(centre)}" size="{numbers(half)}" '
        f'euler="0 0 {yaw}" {_INERT}/>'
    )


def round_thing(
    kind: str,
    surface: str,
    centre: Vector,
    size: tuple[float, ...],
    turn: tuple[float, ...] = (0.0, 0.0, 0.0),
) -> str:
    """A cylinder (radius, half height), sphere (radius) or ellipsoid (three radii)."""
    return (
        f'<geom type="{kind}" material="{surface}" pos="{numbers(centre)}" '
        f'size="{numbers(size)}" euler="{numbers(turn)}" {_INERT}/>'
    )


def floor(surface: str, centre: Vector, width: float, depth: float) -> str:
    """A horizontal plane that looks up."""
    return (
        f'<geom type="plane" material="{surface}" pos="{numbers(centre)}" '
        f'size="{numbers((width / 2, depth / 2, 0.1))}" {_INERT}/>'
    )


def panel(
    surface: str, centre: Vector, yaw: float, width: float, height: float, framed: bool = True
) -> str:
    """A picture whose face looks towards `yaw`, on a thin card or in a wooden frame."""
    turn = math.radians(yaw)
    normal = np.array((math.cos(turn), math.sin(turn), 0.0))
    right = (-normal[1], normal[0], 0.0)
    x, y, z = np.array(centre) - 0.012 * normal
    border = 0.05 if framed else 0.01
    backing = "walnut" if framed else "white"
    return (
        box(backing, (x, y, z), (0.02, width + border, height + border), yaw)
        + f'<geom type="plane" material="{surface}" pos="{numbers(centre)}" '
        f'size="{numbers((width / 2, height / 2, 0.1))}" '
        f'xyaxes="{numbers(right)} 0 0 1" {_INERT}/>'
    )


def table(surface: str, x: float, y: float, width: float, depth: float, height: float) -> list[str]:
    """A table top on four legs."""
    legs = [
        box(
            surface,
            (x + side * (width / 2 - 0.06), y + end * (depth / 2 - 0.06), height / 2),
            (0.06, 0.06, height),
        )
        for side in (-1, 1)
        for end in (-1, 1)
    ]
    return [box(surface, (x, y, height), (width, depth, 0.05)), *legs]


def chair(surface: str, x: float, y: float, yaw: float) -> list[str]:
    """A chair whose back is on the side away from `yaw`."""
    turn = math.radians(yaw)
    back = (x - 0.2 * math.cos(turn), y - 0.2 * math.sin(turn), 0.72)
    return [
        *table(surface, x, y, 0.42, 0.42, 0.45),
        box(surface, back, (0.04, 0.42, 0.5), yaw),
    ]


def lamp(x: float, y: float, height: float, foot: float = 0.0) -> list[str]:
    """A brass stand on `foot` with a glowing shade."""
    return [
        round_thing("cylinder", "brass", (x, y, foot + 0.015), (0.13, 0.015)),
        round_thing("cylinder", "brass", (x, y, foot + height / 2), (0.015, height / 2)),
        round_thing("cylinder", "glow", (x, y, foot + height), (0.15, 0.12)),
    ]


def shelf(surface: str, x: float, y: float, width: float, depth: float, boards: int) -> list[str]:
    """Boards every 40 cm between uprights at the ends of the longer side."""
    height = 0.4 * (boards - 1) + 0.1
    parts = [box(surface, (x, y, 0.08 + 0.4 * n), (width, depth, 0.03)) for n in range(boards)]
    for end in (-1, 1):
        if width > depth:
            centre, size = (x + end * width / 2, y, height / 2), (0.03, depth, height)
        else:
            centre, size = (x, y + end * depth / 2, height / 2), (width, 0.03, height)
        parts.append(box(surface, centre, size))
    return parts


def books(x: float, y: float, z: float, length: float, along_x: bool, seed: int) -> list[str]:
    """A row of books of different colours, standing on height `z`."""
    random = np.random.default_rng(seed)
    colours = ("red", "blue", "leaf", "cushion", "linen", "fabric", "clay", "black")
    row, at = [], -length / 2
    while at < length / 2 - 0.06:
        thick, high = random.uniform(0.025, 0.06), random.uniform(0.2, 0.3)
        middle = at + thick / 2
        centre = (x + middle, y, z + high / 2) if along_x else (x, y + middle, z + high / 2)
        size = (thick, 0.18, high) if along_x else (0.18, thick, high)
        row.append(box(str(random.choice(colours)), centre, size))
        at += thick + 0.004
    return row


def plant(x: float, y: float, foot: float, size: float, seed: int) -> list[str]:
    """A pot with leaves; `size` is the height of the whole."""
    random = np.random.default_rng(seed)
    pot = (0.16 * size, 0.15 * size)
    parts = [round_thing("cylinder", "clay", (x, y, foot + 0.15 * size), pot)]
    for _ in range(14):
        dx, dy = random.uniform(-0.2, 0.2, 2) * size
        centre = (x + dx, y + dy, foot + size * random.uniform(0.42, 0.9))
        radii = (0.05 * size, 0.13 * size, 0.1 * size)
        turn = tuple(float(angle) for angle in random.uniform(-60, 60, 3))
        parts.append(round_thing("ellipsoid", "leaf", centre, radii, turn))
    return parts
