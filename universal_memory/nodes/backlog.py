"""
How much of what was played is still on its way into the memory.

An ingest node is done when it has processed what it received, says its entry in `/diagnostics`; the
compiler, when its `~/status` counts as many events as the ingest nodes published. As an utterance
ends only some time after the last sound, the counters must also have stood still for a while.
"""

from __future__ import annotations

import time
from types import TracebackType

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from universal_memory_msgs.msg import MemoryStatus

INGEST = ("camera_ingest", "audio_ingest", "tool_ingest")
COUNTERS = ("received", "processed", "dropped", "failed", "waiting", "events")
STILL_SECONDS = 4.0  # longer than audio_ingest waits for the end of an utterance


class StillBusy(TimeoutError):
    """Work did not come to an end in time; the message says where it hangs."""


class Backlog:
    """Listens to the counters of ingest nodes and compiler. Use it in a `with` statement."""

    def __init__(self, domain_id: int | None = None) -> None:
        """`domain_id` None is the environment's."""
        self._counters: dict[str, dict[str, int]] = {}
        self._taken = 0  # events that are safe in the compiler's buffer
        self._changed = time.monotonic()
        self._context = rclpy.Context()
        rclpy.init(
            args=[],
            context=self._context,
            domain_id=domain_id,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = rclpy.create_node(
            "memory_backlog", context=self._context, use_global_arguments=False
        )
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 100)
        self._node.create_subscription(
            MemoryStatus, "memory_compiler/status", self._hear_compiler, 10
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def drain(self, timeout: float) -> None:
        """Return when nothing is on its way any more. Raises StillBusy."""
        deadline = time.monotonic() + timeout
        while self.busy() or time.monotonic() - self._changed < STILL_SECONDS:
            if time.monotonic() > deadline:
                raise StillBusy(f"still busy after {timeout:.0f} s: {self.busy() or 'counting'}")
            self._executor.spin_once(timeout_sec=0.2)

    def busy(self) -> str:
        """Which node has not finished, in words; empty if all have."""
        for name in INGEST:
            if name not in self._counters:
                return f"{name} has not reported yet"
            count = self._counters[name]
            left = count["received"] - count["processed"] - count["dropped"] - count["failed"]
            if left > 0 or count["waiting"]:
                return f"{name} has {max(left, count['waiting'])} inputs to go"
        if self._taken < self.events:
            return f"memory_compiler has {self._taken} of {self.events} events"
        return ""

    @property
    def events(self) -> int:
        """Events that the ingest nodes have published."""
        return sum(self.counts("events").values())

    def counts(self, counter: str) -> dict[str, int]:
        """One of COUNTERS by ingest node."""
        return {name: self._counters.get(name, {}).get(counter, 0) for name in INGEST}

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def __enter__(self) -> Backlog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name = status.name.split(":")[0].rsplit("/", 1)[-1]
            if name in INGEST:
                counters = dict.fromkeys(COUNTERS, 0)
                counters |= {e.key: int(e.value) for e in status.values if e.key in COUNTERS}
                if counters != self._counters.get(name):
                    self._counters[name] = counters
                    self._changed = time.monotonic()

    def _hear_compiler(self, message: MemoryStatus) -> None:
        if message.events_total != self._taken:
            self._taken = message.events_total
            self._changed = time.monotonic()
