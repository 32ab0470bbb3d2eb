"""
Publishes a recording on real DDS, with `/clock`, faster or slower than it was.

    with Player(recording, rate=4.0) as player:
        player.wait_for(["/camera/front/image/compressed"])
        player.play()

`/clock` runs at 100 Hz of wall time from the first moment and goes on after the last message, at
the same rate, until the player is closed: schedules and timers of listeners on simulated time do
not freeze with work half done. Messages are published as the bytes that were recorded, with the
reliability they were recorded with: sensor data is not held up by a slow listener, a tool call is
never lost.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

import rclpy
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from rosgraph_msgs.msg import Clock

from universal_memory.runtime.recording import (
    NANOSECONDS,
    Pace,
    Recording,
    RecordingError,
    remapped,
)

CLOCK_HZ = 100.0  # of wall time
DEPTH = 100
MATCH_SECONDS = 15.0

# Only the newest time matters, and rclpy's own time source subscribes best effort.
CLOCK = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)


class NobodyListens(TimeoutError):
    """A topic that was waited for has no subscriber; the message has the remedy."""


class Player:
    """Owns a ROS context, the publishers and the clock thread of one replay."""

    def __init__(
        self,
        recording: Recording,
        rate: float = 1.0,
        remaps: Mapping[str, str] | None = None,
        domain_id: int | None = None,
    ) -> None:
        """`remaps` is recorded topic → topic; `domain_id` None is the environment's."""
        self._recording = recording
        self._pace = Pace(recording.start, time.monotonic(), rate)
        kinds = {name: message_type(topic.kind) for name, topic in recording.topics.items()}
        names = remapped(recording.topics, remaps or {})
        self._context = rclpy.Context()
        rclpy.init(
            args=[],
            context=self._context,
            domain_id=domain_id,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = rclpy.create_node(
            "memory_player", context=self._context, use_global_arguments=False
        )
        self._publishers: dict[str, Publisher] = {
            topic.name: self._node.create_publisher(
                kinds[topic.name], names[topic.name], _profile(topic.reliable)
            )
            for topic in recording.topics.values()
        }
        self._clock = self._node.create_publisher(Clock, "/clock", CLOCK)
        self._started = threading.Event()
        self._stopping = threading.Event()
        self._ticker = threading.Thread(target=self._tick, name="clock", daemon=True)
        self._ticker.start()

    def wait_for(self, topics: Iterable[str], timeout: float = MATCH_SECONDS) -> None:
        """
        Return when each recorded topic of `topics` has a subscriber.

        Raises NobodyListens, and RecordingError for a topic that is not in the bag.
        """
        waiting = list(topics)
        remapped(self._recording.topics, dict.fromkeys(waiting, ""))
        deadline = time.monotonic() + timeout
        while waiting := [t for t in waiting if not self._publishers[t].get_subscription_count()]:
            if time.monotonic() > deadline:
                raise NobodyListens(
                    f"nobody listens to {', '.join(waiting)} after {timeout:.0f} s: start the "
                    "nodes in the same ROS_DOMAIN_ID, and remap the topics to theirs"
                )
            time.sleep(0.05)

    def play(self, progress: Callable[[float], None] = lambda seconds: None) -> float:
        """
        Publish everything at its time and return the worst lateness in seconds of wall time.

        `progress` gets the seconds of bag time, now and then.
        """
        self._pace = Pace(self._recording.start, time.monotonic(), self._pace.rate)
        self._started.set()
        worst = 0.0
        for number, record in enumerate(self._recording.records()):
            wait = self._pace.due(record.stamp) - time.monotonic()
            if wait > 0:
                if self._stopping.wait(wait):
                    break
            else:
                worst = max(worst, -wait)
            self._publishers[record.topic].publish(record.data)
            if number % 20 == 0:
                progress((record.stamp - self._recording.start) / NANOSECONDS)
        progress(self._recording.seconds)
        return worst

    def close(self) -> None:
        """Stop the clock and leave the graph."""
        self._stopping.set()
        self._ticker.join(2.0)
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def __enter__(self) -> Player:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tick(self) -> None:
        message = Clock()
        while not self._stopping.wait(1.0 / CLOCK_HZ):
            # Before the first message time stands still at the beginning of the bag.
            running = self._started.is_set()
            now = self._pace.now(time.monotonic()) if running else self._recording.start
            message.clock.sec, message.clock.nanosec = divmod(now, NANOSECONDS)
            self._clock.publish(message)


def message_type(kind: str) -> Any:
    """Return the class of `package/msg/Name`. Raises RecordingError with the remedy."""
    parts = kind.split("/")
    try:
        package, name = parts[0], parts[-1]
        return getattr(importlib.import_module(f"{package}.msg"), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise RecordingError(
            f"message type {kind!r} of the bag is not installed here: install package {parts[0]}, "
            "or filter the bag"
        ) from error


def _profile(reliable: bool) -> QoSProfile:
    reliability = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
    return QoSProfile(depth=DEPTH, reliability=reliability)
