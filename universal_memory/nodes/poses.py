"""
Which pose belongs to an image: the one nearest in time, if near enough.

An image without a pose is still an experience, so images are never held back until a pose comes
(what a synchronizer would do). Where message_filters is installed its `Cache` keeps the poses;
else a short history of our own does.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.clock import ClockType
from rclpy.node import Node
from rclpy.time import Time

from universal_memory.experience.event import Pose
from universal_memory.nodes.conversions import SECOND, from_pose, from_stamp
from universal_memory.nodes.qos import SENSOR

try:
    import message_filters
except ImportError:
    message_filters = None

HISTORY = 200


class PoseHistory:
    """The last poses of topic `pose` (geometry_msgs/PoseStamped)."""

    def __init__(self, node: Node, tolerance_seconds: float) -> None:
        """Subscribe; a pose further than `tolerance_seconds` from an image is not its pose."""
        self._tolerance = int(tolerance_seconds * SECOND)
        self._poses: deque[PoseStamped] = deque(maxlen=HISTORY)
        self._cache: Any = None
        if message_filters is not None:
            source = message_filters.Subscriber(node, PoseStamped, "pose", qos_profile=SENSOR)
            self._cache = message_filters.Cache(source, HISTORY)
        else:
            self._subscription = node.create_subscription(
                PoseStamped, "pose", lambda message: self._poses.append(message), SENSOR
            )

    def nearest(self, stamp: int) -> Pose | None:
        """Return the pose nearest to `stamp` in nanoseconds, or None if none is near enough."""
        if self._cache is not None:
            time = Time(nanoseconds=stamp, clock_type=ClockType.ROS_TIME)
            around = (self._cache.getElemBeforeTime(time), self._cache.getElemAfterTime(time))
            candidates = [message for message in around if message is not None]
        else:
            candidates = list(self._poses)
        gaps = [abs(from_stamp(message.header.stamp) - stamp) for message in candidates]
        if not gaps or min(gaps) > self._tolerance:
            return None
        return from_pose(candidates[gaps.index(min(gaps))])
