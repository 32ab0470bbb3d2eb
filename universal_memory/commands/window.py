"""The options that say when and where a question is about, as `ump query` takes them."""

from __future__ import annotations

import math
import re
import time
from datetime import datetime, timezone
from typing import Annotated

import typer

from universal_memory.memory.window import Place, Window, WindowError

DEFAULT_RADIUS, DEFAULT_FRAME = 2.0, "map"

AfterOption = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Only what was experienced then or later: 2026-11-30T08:00 (UTC, or with +02:00),"
        " seconds of the node clock (1000.5), or -2h: s, m, h or d before this machine's now.",
    ),
]
BeforeOption = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only what was experienced then or earlier."),
]
NearOption = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y[,Z]",
        help="Only what was experienced with the robot there, in metres; without Z at any height.",
    ),
]
RadiusOption = Annotated[
    float | None,
    typer.Option(help=f"With --near: how far from there, in metres. Default: {DEFAULT_RADIUS:g}."),
]
FrameOption = Annotated[
    str | None,
    typer.Option(help=f"With --near: the frame of the robot's poses. Default: {DEFAULT_FRAME}."),
]

NANOSECONDS = 1_000_000_000
_SECONDS_IN = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_AGO = re.compile(r"-(\d+(?:\.\d+)?)([smhd])")
_ROS_TIME_ENDS = 2**31  # seconds: builtin_interfaces/Time counts them in an int32


def window_of(
    after: str | None, before: str | None, near: str | None, radius: float | None, frame: str | None
) -> Window | None:
    """The window that the options describe, None if none was given. Raises a usage error."""
    if near is None and (radius is not None or frame is not None):
        raise typer.BadParameter("--radius and --frame belong to a place: add --near X,Y")
    try:
        place = None
        if near is not None:
            place = Place(
                DEFAULT_FRAME if frame is None else frame,
                _position(near),
                DEFAULT_RADIUS if radius is None else radius,
            )
        first = None if after is None else stamp_of(after)
        last = None if before is None else stamp_of(before)
        if first is None and last is None and place is None:
            return None
        return Window(first, last, place)
    except WindowError as error:
        raise typer.BadParameter(str(error)) from error


def stamp_of(text: str) -> int:
    """Nanoseconds of a moment as people write it. Raises a usage error."""
    try:
        if ago := _AGO.fullmatch(text.strip()):
            seconds = time.time() - float(ago[1]) * _SECONDS_IN[ago[2]]
        else:
            seconds = _seconds(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no time: give 2026-11-30T08:00, seconds of the node clock, or -2h"
        ) from None
    if not 0.0 < seconds < _ROS_TIME_ENDS:
        raise typer.BadParameter(
            f"{text!r} is {seconds:g} s, which no ROS clock shows: give a time from 1970 to 2038"
        )
    return round(seconds * NANOSECONDS)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))  # Python 3.10 has no Z
        return moment.replace(tzinfo=moment.tzinfo or timezone.utc).timestamp()


def _position(text: str) -> tuple[float, float, float]:
    try:
        numbers = [float(part) for part in text.split(",")]
        x, y, z = numbers if len(numbers) != 2 else (*numbers, math.nan)
    except ValueError:
        raise typer.BadParameter(
            f"--near is {text!r}: give X,Y or X,Y,Z in metres, for example 1.5,-2"
        ) from None
    return x, y, z
