"""
One entry per node in `/diagnostics`, once a second.

The topic name is absolute because every ROS diagnostics tool listens there. The timer runs on
the steady clock: under `use_sim_time` a stalled `/clock` is exactly what an operator must be able
to see. Stamps are of the node clock.
"""

from __future__ import annotations

from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from universal_memory.nodes.health import Health
from universal_memory.nodes.worker import WorkerCounters

PERIOD_SECONDS = 1.0


class Diagnostics:
    """Publishes `health` and the values that `sample` returns as one DiagnosticStatus."""

    def __init__(
        self, node: Node, health: Health, sample: Callable[[], dict[str, object]]
    ) -> None:
        """Start the timer. `sample` is called once a second and must not block."""
        self._node = node
        self._health = health
        self._sample = sample
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
        # Its own group: diagnostics go on while another callback of the node is busy.
        self._timer = node.create_timer(
            PERIOD_SECONDS,
            self.publish,
            callback_group=MutuallyExclusiveCallbackGroup(),
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )

    def publish(self) -> None:
        """Publish one entry now."""
        status = DiagnosticStatus()
        status.name = f"{self._node.get_fully_qualified_name()}: memory"
        status.hardware_id = "universal_memory"
        status.level, status.message = DiagnosticStatus.OK, "ok"
        if self._health.warning:
            status.level, status.message = DiagnosticStatus.WARN, self._health.warning
        if self._health.error:
            status.level, status.message = DiagnosticStatus.ERROR, self._health.error
        values: dict[str, object] = {"last refusal": self._health.last_reason}
        values.update({f"refused {k}": n for k, n in self._health.refused.items()})
        values.update(self._sample())
        status.values = [KeyValue(key=key, value=str(value)) for key, value in values.items()]
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        array.status = [status]
        self._publisher.publish(array)


def worker_values(counters: WorkerCounters) -> dict[str, object]:
    """Return the counters of a worker as diagnostics values."""
    return {
        "received": counters.offered,
        "processed": counters.done,
        "dropped": counters.dropped,
        "failed": counters.failed,
        "waiting": counters.waiting,
        "last duration [ms]": f"{counters.last_ms:.1f}",
    }
