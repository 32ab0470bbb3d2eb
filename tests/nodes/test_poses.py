"""Which pose belongs to an image, with and without message_filters."""

from __future__ import annotations

import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from ros_graph import Graph

from universal_memory.nodes import poses
from universal_memory.nodes.conversions import SECOND
from universal_memory.nodes.poses import PoseHistory

pytestmark = pytest.mark.slow


def pose(second: float, x: float) -> PoseStamped:
    message = PoseStamped()
    message.header.frame_id = "map"
    message.header.stamp = Time(sec=int(second), nanosec=int(second % 1 * 1e9))
    message.pose.position.x = x
    message.pose.orientation.w = 1.0
    return message


@pytest.mark.parametrize("installed", [False, True])
def test_nearest_pose_within_tolerance(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    if installed and poses.message_filters is None:
        pytest.skip("message_filters is not installed (apt has it, PyPI does not)")
    if not installed:
        monkeypatch.setattr(poses, "message_filters", None)
    history = PoseHistory(graph.helper, tolerance_seconds=0.3)
    assert history.nearest(10 * SECOND) is None
    publisher = graph.publisher(PoseStamped, "pose")
    for second, x in ((10.0, 1.0), (10.5, 2.0), (12.0, 3.0)):
        publisher.publish(pose(second, x))
    graph.wait(lambda: history.nearest(12 * SECOND), "the last pose")
    found = history.nearest(int(10.4 * SECOND))
    assert found is not None and found.position == (2.0, 0.0, 0.0)
    assert found.frame_id == "map" and found.orientation == (0.0, 0.0, 0.0, 1.0)
    assert history.nearest(int(11.2 * SECOND)) is None
    assert history.nearest(int(12.2 * SECOND)) is not None
