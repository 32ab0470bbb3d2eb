"""A ROS graph of its own for each test: own context, own domain, own namespace."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Processes that test at the same time (two checkouts) must not meet.
DOMAIN = 10 + os.getpid() % 90
OTHER_DOMAIN = 10 + (os.getpid() + 45) % 90
DISCOVERY_SECONDS = 15.0
_numbers = itertools.count()


class Graph:
    """Nodes under test and a helper node, spun together in a thread."""

    def __init__(self, domain: int = DOMAIN) -> None:
        self.namespace = f"/test_{next(_numbers)}"
        self.domain = domain
        self.context = rclpy.Context()
        rclpy.init(
            args=[],
            context=self.context,
            domain_id=domain,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self.executor = MultiThreadedExecutor(8, context=self.context)
        self._closables: list[Any] = []
        self.helper = rclpy.create_node(
            "helper", context=self.context, namespace=self.namespace, use_global_arguments=False
        )
        self.executor.add_node(self.helper)
        self.diagnostics: dict[str, DiagnosticStatus] = {}
        self.listen(DiagnosticArray, "/diagnostics", self._diagnose)
        self._stop: Future[None] = Future()
        self._thread = threading.Thread(
            target=self.executor.spin_until_future_complete, args=(self._stop,), daemon=True
        )
        self._thread.start()

    def add(self, factory: Callable[..., Node], **parameters: Any) -> Any:
        """Make a node with `parameters` in this graph and spin it."""
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        node = factory(
            context=self.context,
            namespace=self.namespace,
            use_global_arguments=False,
            parameter_overrides=overrides,
        )
        self._closables.append(node)
        self.executor.add_node(node)
        return node

    def listen(
        self, kind: type, topic: str, callback: Callable[[Any], None], qos: Any = 100
    ) -> None:
        self.helper.create_subscription(kind, topic, lambda message: callback(message), qos)

    def collect(self, kind: type, topic: str, qos: Any = 100) -> list[Any]:
        """Return a list that grows by the messages of `topic`."""
        messages: list[Any] = []
        self.listen(kind, topic, lambda message: messages.append(message), qos)
        return messages

    def publisher(self, kind: type, topic: str, qos: Any = 100) -> Any:
        """Return a publisher that somebody listens to."""
        publisher = self.helper.create_publisher(kind, topic, qos)
        self.wait(lambda: publisher.get_subscription_count() > 0, f"a subscriber of {topic}")
        return publisher

    def call(self, kind: type, name: str, request: Any, timeout: float = 60.0) -> Any:
        client = self.helper.create_client(kind, name)
        assert client.wait_for_service(DISCOVERY_SECONDS), f"no service {client.srv_name}"
        future = client.call_async(request)
        self.wait(future.done, f"an answer of {client.srv_name}", timeout)
        return future.result()

    def wait(
        self, condition: Callable[[], Any], what: str, timeout: float = DISCOVERY_SECONDS
    ) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"no {what} within {timeout} s; {self.report()}"
            time.sleep(0.02)

    def status(self, node: str) -> DiagnosticStatus | None:
        """Return the last diagnostics entry of `node`."""
        return self.diagnostics.get(f"{self.namespace}/{node}")

    def value(self, node: str, key: str) -> str:
        """Return one value of the last diagnostics entry of `node`, or the empty string."""
        status = self.status(node)
        values = {entry.key: entry.value for entry in status.values} if status else {}
        return values.get(key, "")

    def report(self) -> str:
        """Return what the nodes last said about themselves."""
        return "; ".join(
            f"{name} {status.message!r} { {entry.key: entry.value for entry in status.values} }"
            for name, status in self.diagnostics.items()
        )

    def close(self) -> None:
        for node in self._closables:
            node.close()
        self._stop.set_result(None)
        self._thread.join(5.0)
        self.executor.shutdown(timeout_sec=0.0)
        rclpy.try_shutdown(context=self.context)

    def _diagnose(self, message: DiagnosticArray) -> None:
        for status in message.status:
            self.diagnostics[status.name.split(":")[0]] = status
