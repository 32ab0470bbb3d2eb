"""
The base of the three ingest nodes: a sensor topic in, `experience` out.

    subscription callback ── offer ──> worker thread: tokenize ── publish ──> experience

The tokenizer is loaded before the subscription is made: a topic that has a subscriber is listened
to, so a player or a test only has to wait for the match.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rclpy.node import Node
from std_msgs.msg import Header
from universal_memory_msgs.msg import ExperienceEvent

from universal_memory.experience.event import Event
from universal_memory.nodes.conversions import from_stamp, to_message
from universal_memory.nodes.diagnostics import Diagnostics, worker_values
from universal_memory.nodes.health import Health
from universal_memory.nodes.parameters import Parameters, Row
from universal_memory.nodes.qos import EVERY_ONE
from universal_memory.nodes.worker import Worker

STOP_SECONDS = 2.0


def common_rows(stream: str) -> tuple[Row, ...]:
    """Return the parameters that every ingest node has."""
    return (
        Row("stream", stream, "Name of the source in every event, for example camera/front.",
            fixed=True),
        Row("source", "", "Bag or session that the events come from; empty: unknown.", fixed=True),
    )


class IngestNode(Node):
    """Owns parameters, worker, publisher, health and diagnostics; subclasses tokenize."""

    def __init__(self, name: str, rows: tuple[Row, ...], **options: Any) -> None:
        """Declare `rows`; `options` go to `rclpy.node.Node`."""
        super().__init__(name, **options)
        self.parameters = Parameters(self, rows)
        self.health = Health()
        self.published = 0
        self._experience = self.create_publisher(ExperienceEvent, "experience", EVERY_ONE)
        self._worker: Worker[Any] | None = None

    def start(
        self,
        handle: Callable[[Any], None],
        capacity: int,
        newest_wins: bool,
        idle: Callable[[], None] | None = None,
        idle_seconds: float = 1.0,
    ) -> Worker[Any]:
        """Start the worker, see `Worker`, and the diagnostics. Call once, before subscribing."""
        self._worker = Worker(
            handle, capacity, newest_wins, self._report, idle, idle_seconds
        )
        self._diagnostics = Diagnostics(self, self.health, self.values)
        return self._worker

    def values(self) -> dict[str, object]:
        """Return the values shown in `/diagnostics`."""
        counters = worker_values(self._worker.counters) if self._worker else {}
        return {"stream": self.parameters["stream"], "events": self.published, **counters}

    def stamp(self, header: Header) -> int:
        """Return the header's stamp in nanoseconds; without one, the node clock's (counted)."""
        stamp = from_stamp(header.stamp)
        if stamp > 0:
            return stamp
        self.refuse("stamp", "header stamp is zero, using the arrival time: set it in the driver")
        return self.get_clock().now().nanoseconds

    def publish_event(self, event: Event, frame_id: str) -> None:
        """Publish `event` on `experience`, with the session's name if it has none."""
        if not event.source and self.parameters["source"]:
            event = replace(event, source=self.parameters["source"])
        self._experience.publish(to_message(event, frame_id))
        self.published += 1

    def refuse(self, kind: str, reason: str) -> None:
        """Count input that cannot be used, and log the first of its kind."""
        if self.health.refuse(kind, reason):
            self.get_logger().warning(f"{reason} (further ones are counted in /diagnostics)")

    def close(self) -> None:
        """Publish what is queued and stop the worker."""
        if self._worker is not None and not self._worker.stop(drain=True, timeout=STOP_SECONDS):
            waiting = self._worker.counters.waiting
            self.get_logger().warning(f"stopped with {waiting} inputs not tokenized")

    def _report(self, error: Exception) -> None:
        if isinstance(error, ValueError):
            self.refuse(getattr(error, "kind", "input"), str(error))
        else:  # not the input's fault: say which code it was
            self.refuse(type(error).__name__, f"{type(error).__name__}: {error}")
            self.get_logger().error("".join(traceback.format_exception(error)), once=True)
