"""A window travels in a question: empty fields bound nothing, what cannot be is refused."""

from __future__ import annotations

import math

import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PointStamped
from universal_memory_msgs.srv import QueryMemory

from universal_memory.memory.window import Place, Window, WindowError
from universal_memory.nodes.conversions import set_window, window_of

MAP = PointStamped()
MAP.header.frame_id = "map"


@pytest.mark.parametrize(
    "window",
    [
        Window(after=5),
        Window(before=7 * 10**9 + 1),
        Window(near=Place("map", (1.0, -2.0, 0.5), 3.0)),
        Window(1, 2, Place("odom", (0.0, 0.0, 0.0), 0.25)),
    ],
)
def test_it_comes_back_whole(window: Window) -> None:
    request = QueryMemory.Request()
    set_window(request, window)
    assert window_of(request) == window


def test_nothing_asked_is_no_window() -> None:
    assert window_of(QueryMemory.Request()) is None
    request = QueryMemory.Request()
    set_window(request, Window(near=Place("map", (1.0, 2.0, math.nan), 1.0)))
    window = window_of(request)
    assert window is not None and window.near is not None and math.isnan(window.near.position[2])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"after": Time(sec=9), "before": Time(sec=8)}, "exchange them"),
        ({"after": Time(sec=-1)}, "after is -1000000000 ns"),
        ({"near_radius": 1.0}, "has no frame"),
        ({"near_radius": math.nan}, "has no frame"),
        ({"near": MAP}, r"radius of the place is 0\.0"),
        ({"near": MAP, "near_radius": -1.0}, r"radius of the place is -1\.0"),
        ({"near": MAP, "near_radius": math.nan}, "radius of the place is nan"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(WindowError, match=reason):
        window_of(QueryMemory.Request(**fields))
