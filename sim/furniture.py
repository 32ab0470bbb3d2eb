"""What stands in each of the four rooms. Every function returns MJCF geoms; metres and degrees."""

from __future__ import annotations

from sim.shapes import (
    books,
    box,
    chair,
    floor,
    lamp,
    panel,
    plant,
    round_thing,
    shelf,
    table,
)

WALL_HEIGHT = 2.6
_OPENING = 1.1  # width of a doorway
_LINTEL = 2.1  # height of a doorway


def walls() -> list[str]:
    """Floors, ceiling, outer and inner walls with doorways, skirting and door frames."""
    middle, high = WALL_HEIGHT / 2, WALL_HEIGHT
    parts = [
        floor("tiles", (2.5, 6, 0), 5, 4),
        floor("oak", (7.5, 6, 0), 5, 4),
        floor("oak", (2.5, 2, 0), 5, 4),
        floor("tiles", (7.5, 2, 0), 5, 4),
        box("ceiling", (5, 4, high + 0.05), (10.4, 8.4, 0.1)),
    ]
    for west, south, paint in (
        (0, 4, "kitchen_wall"),
        (5, 4, "living_wall"),
        (5, 0, "plaster"),
        (0, 0, "bedroom_wall"),
    ):
        x, y = west + 2.5, south + 2
        if south == 4:
            parts.append(box(paint, (x, 8.05, middle), (5, 0.1, high)))
            parts.append(box("white", (x, 7.99, 0.05), (5, 0.02, 0.1)))
        else:
            parts.append(box(paint, (x, -0.05, middle), (5, 0.1, high)))
            parts.append(box("white", (x, 0.01, 0.05), (5, 0.02, 0.1)))
        side = -0.05 if west == 0 else 10.05
        parts.append(box(paint, (side, y, middle), (0.1, 4, high)))
        inner = 0.01 if west == 0 else 9.99
        parts.append(box("white", (inner, y, 0.05), (0.02, 4, 0.1)))
    parts += _wall_with_door("y", 5.0, 4.0, 8.0, 5.2, "kitchen_wall", "living_wall")
    parts += _wall_with_door("y", 5.0, 0.0, 4.0, 2.2, "bedroom_wall", "plaster")
    parts += _wall_with_door("x", 4.0, 5.0, 10.0, 7.4, "plaster", "living_wall")
    parts.append(box("bedroom_wall", (2.5, 3.97, middle), (5, 0.06, high)))
    parts.append(box("kitchen_wall", (2.5, 4.03, middle), (5, 0.06, high)))
    return parts


def _wall_with_door(
    axis: str, at: float, start: float, end: float, door: float, first: str, second: str
) -> list[str]:
    """An inner wall along `axis` at coordinate `at`, painted on both sides, open at `door`."""
    parts = []
    spans = (
        (start, door - _OPENING / 2, 0.0, WALL_HEIGHT),
        (door + _OPENING / 2, end, 0.0, WALL_HEIGHT),
        (door - _OPENING / 2, door + _OPENING / 2, _LINTEL, WALL_HEIGHT),
    )
    for low, far, bottom, top in spans:
        for paint, offset in ((first, -0.03), (second, 0.03)):
            centre, length = (low + far) / 2, far - low
            height, z = top - bottom, (top + bottom) / 2
            if axis == "y":
                parts.append(box(paint, (at + offset, centre, z), (0.06, length, height)))
            else:
                parts.append(box(paint, (centre, at + offset, z), (length, 0.06, height)))
    for post in (door - _OPENING / 2, door + _OPENING / 2):
        if axis == "y":
            parts.append(box("white", (at, post, _LINTEL / 2), (0.18, 0.07, _LINTEL)))
        else:
            parts.append(box("white", (post, at, _LINTEL / 2), (0.07, 0.18, _LINTEL)))
    lintel = (0.18, _OPENING, 0.08) if axis == "y" else (_OPENING, 0.18, 0.08)
    parts.append(box("white", (at, door, _LINTEL) if axis == "y" else (door, at, _LINTEL), lintel))
    return parts


def kitchen() -> list[str]:
    """Counter, sink, oven, cupboards, fridge, and the table under a lamp."""
    parts = [
        box("white", (1.95, 7.72, 0.44), (3.7, 0.56, 0.88)),
        box("worktop", (1.95, 7.7, 0.9), (3.76, 0.62, 0.04)),
        box("steel", (1.0, 7.68, 0.915), (0.6, 0.42, 0.02)),
        round_thing("cylinder", "steel", (1.0, 7.88, 1.05), (0.02, 0.14)),
        box("black", (2.6, 7.43, 0.5), (0.56, 0.02, 0.5)),
        box("steel", (2.6, 7.4, 0.72), (0.5, 0.03, 0.03)),
        box("black", (2.6, 7.7, 0.925), (0.56, 0.5, 0.01)),
        box("steel", (4.4, 7.63, 0.95), (0.82, 0.72, 1.9)),
        box("black", (4.4, 7.265, 0.72), (0.82, 0.01, 0.015)),
        box("black", (4.07, 7.25, 1.2), (0.03, 0.03, 0.5)),
        round_thing("cylinder", "cushion", (1.7, 7.65, 0.97), (0.045, 0.055)),
        round_thing("cylinder", "linen", (1.9, 7.6, 0.97), (0.04, 0.05)),
        round_thing("cylinder", "brass", (3.2, 7.65, 1.0), (0.09, 0.08)),
    ]
    for number in range(4):
        x = 0.55 + 0.93 * number
        parts.append(box("pine", (x, 7.83, 1.75), (0.88, 0.33, 0.62)))
        parts.append(box("steel", (x + 0.3, 7.65, 1.53), (0.02, 0.02, 0.12)))
        parts.append(box("brass", (x, 7.43, 0.78), (0.2, 0.02, 0.02)))
    parts += table("oak_wood", 2.4, 5.5, 1.4, 0.8, 0.74)
    parts += chair("pine", 2.0, 4.85, 90) + chair("pine", 2.8, 6.12, 270)
    parts += [
        round_thing("ellipsoid", "blue", (2.5, 5.5, 0.81), (0.16, 0.16, 0.06)),
        round_thing("sphere", "red", (2.45, 5.46, 0.86), (0.045,)),
        round_thing("sphere", "leaf", (2.55, 5.54, 0.86), (0.045,)),
        round_thing("cylinder", "red", (2.0, 5.6, 0.81), (0.04, 0.05)),
        panel("clock", (0.06, 4.9, 1.9), 0, 0.34, 0.34),
        panel("window", (2.5, 4.08, 1.5), 90, 1.2, 0.8),
    ]
    return parts + lamp(4.6, 4.4, 1.5)


def living_room() -> list[str]:
    """Sofa and rug, coffee table, bookshelf, piano, fern and floor lamp."""
    parts = [
        floor("rug", (7.1, 6.3, 0.012), 2.4, 1.8),
        box("fabric", (7.1, 7.5, 0.25), (2.2, 0.85, 0.35)),
        box("fabric", (7.1, 7.85, 0.6), (2.2, 0.2, 0.6)),
        box("fabric", (5.95, 7.5, 0.42), (0.2, 0.85, 0.5)),
        box("fabric", (8.25, 7.5, 0.42), (0.2, 0.85, 0.5)),
        box("cushion", (6.4, 7.62, 0.6), (0.42, 0.16, 0.4), 12),
        box("linen", (7.8, 7.62, 0.6), (0.42, 0.16, 0.4), -10),
        panel("painting", (7.1, 7.97, 1.65), 270, 1.1, 0.75),
        box("walnut", (9.72, 6.0, 0.58), (0.5, 1.5, 1.16)),
        box("linen", (9.42, 6.0, 0.72), (0.18, 1.3, 0.03)),
        box("walnut", (9.42, 6.0, 0.67), (0.22, 1.4, 0.06)),
        box("black", (9.48, 6.0, 0.745), (0.07, 1.25, 0.02)),
        round_thing("cylinder", "black", (8.95, 6.6, 0.25), (0.2, 0.25)),
        box("walnut", (9.5, 6.0, 1.4), (0.03, 0.8, 0.55)),
        box("pine", (9.72, 4.65, 0.22), (0.4, 0.5, 0.44)),
    ]
    parts += table("walnut", 7.1, 6.3, 1.0, 0.6, 0.42)
    parts += books(7.0, 6.3, 0.45, 0.3, True, 3)
    parts += shelf("pine", 9.2, 7.8, 1.4, 0.3, 5)
    for number in range(4):
        parts += books(9.2, 7.78, 0.1 + 0.4 * number, 1.2, True, 20 + number)
    parts += plant(9.72, 4.65, 0.44, 0.62, 1)
    return parts + lamp(5.5, 7.5, 1.6)


def hallway() -> list[str]:
    """Front door, coat rack, shelf of boxes, shoes, charging dock."""
    parts = [
        box("walnut", (7.6, 0.03, 1.03), (0.95, 0.06, 2.06)),
        box("white", (7.6, 0.02, 1.07), (1.08, 0.05, 2.16)),
        round_thing("sphere", "brass", (7.95, 0.08, 1.02), (0.035,)),
        box("pine", (6.78, 0.04, 1.75), (0.5, 0.04, 0.1)),
        box("red", (6.66, 0.1, 1.4), (0.2, 0.1, 0.66)),
        box("fabric", (6.9, 0.1, 1.42), (0.2, 0.1, 0.6)),
        box("cardboard", (9.6, 1.0, 1.13), (0.62, 0.9, 0.56)),
        box("cardboard", (9.6, 1.0, 0.52), (0.5, 0.7, 0.4)),
        box("black", (9.75, 3.1, 0.12), (0.4, 0.5, 0.24)),
        box("steel", (9.62, 3.1, 0.26), (0.25, 0.3, 0.04)),
        box("leaf", (9.56, 2.93, 0.16), (0.02, 0.04, 0.04)),
        panel("painting", (9.97, 2.05, 1.6), 180, 0.5, 0.4),
    ]
    parts += shelf("pine", 9.6, 1.0, 0.6, 1.3, 3)
    parts += table("pine", 5.5, 0.35, 0.7, 0.35, 0.6)
    parts += plant(5.35, 3.6, 0.0, 1.1, 4)
    for number, surface in enumerate(("black", "clay", "blue")):
        parts.append(box(surface, (8.5 + 0.22 * number, 0.2, 0.06), (0.1, 0.28, 0.1)))
    return parts


def bedroom() -> list[str]:
    """Bed, night table with lamp, wardrobe, medicine cabinet and window."""
    parts = [
        box("walnut", (1.1, 1.3, 0.22), (2.1, 1.6, 0.3)),
        box("linen", (1.1, 1.3, 0.45), (2.0, 1.55, 0.2)),
        box("blanket", (1.45, 1.3, 0.5), (1.4, 1.62, 0.16)),
        box("walnut", (0.06, 1.3, 0.6), (0.08, 1.7, 0.9)),
        box("linen", (0.38, 0.95, 0.6), (0.4, 0.55, 0.14), 4),
        box("linen", (0.38, 1.68, 0.6), (0.4, 0.55, 0.14), -5),
        box("pine", (0.3, 2.45, 0.28), (0.45, 0.45, 0.56)),
        box("pine", (3.9, 3.65, 1.0), (1.6, 0.55, 2.0)),
        box("black", (3.9, 3.37, 1.0), (0.015, 0.01, 1.9)),
        box("brass", (3.82, 3.36, 1.0), (0.02, 0.03, 0.16)),
        box("brass", (3.98, 3.36, 1.0), (0.02, 0.03, 0.16)),
        box("white", (3.3, 0.11, 1.3), (0.8, 0.2, 0.62)),
        box("steel", (3.3, 0.1, 0.8), (0.5, 0.2, 0.04)),
        panel("window", (0.03, 1.3, 1.65), 0, 1.1, 0.75),
        panel("painting", (1.2, 3.92, 1.6), 270, 0.8, 0.55),
        floor("rug", (3.3, 1.8, 0.012), 1.6, 1.1),
    ]
    return parts + lamp(0.3, 2.45, 0.45, foot=0.56) + lamp(4.65, 0.35, 1.45)
