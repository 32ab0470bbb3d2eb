"""
Ask a running robot from another process: what `ump query` and the demo use.

    with QueryClient() as client:
        print(client.ask("How does Anna like her tea?").answer)
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import rclpy
from rclpy.client import Client
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from universal_memory_msgs.srv import (
    CompileNow,
    ExportMemory,
    ForgetMemory,
    ImportMemory,
    InspectMemory,
    QueryMemory,
)

from universal_memory.memory.window import Window
from universal_memory.nodes.conversions import set_window

DISCOVERY_SECONDS = 10.0


class NoAnswer(TimeoutError):
    """No node offers the service, or it did not answer in time; the message has the remedy."""


class QueryClient:
    """Blocking calls of the services of one robot, with a context, node and executor of its own."""

    def __init__(self, namespace: str = "", domain_id: int | None = None) -> None:
        """`namespace` is the robot's; `domain_id` None is the environment's."""
        self._context = rclpy.Context()
        rclpy.init(
            args=[],
            context=self._context,
            domain_id=domain_id,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        # Private arguments off: remaps of the program that uses us are not ours.
        self._node = rclpy.create_node(
            "memory_client", context=self._context, namespace=namespace, use_global_arguments=False
        )
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._clients: dict[str, Client] = {}

    def ask(
        self,
        question: str,
        speaker: str = "",
        top_k: int = 0,
        min_relevance: float = -1.0,
        max_tokens: int = 0,
        unknown_answer: str = "",
        timeout: float = 60.0,
        window: Window | None = None,
    ) -> QueryMemory.Response:
        """Return the server's answer; 0, negative and empty options mean its own parameters."""
        request = QueryMemory.Request()
        request.question, request.speaker = question, speaker
        request.top_k, request.max_tokens = top_k, max_tokens
        request.min_relevance = min_relevance
        request.unknown_answer = unknown_answer
        if window is not None:
            set_window(request, window)
        return self._call(QueryMemory, "query", request, timeout)

    def compile_now(self, flush: bool = True, timeout: float = 120.0) -> CompileNow.Response:
        """Compile what is in the rolling buffer; `flush` includes the episode still open."""
        request = CompileNow.Request(flush=flush)
        return self._call(CompileNow, "memory_compiler/compile_now", request, timeout)

    def forget(self, memory_id: str, timeout: float = 30.0) -> ForgetMemory.Response:
        """Delete a memory file of the running server."""
        request = ForgetMemory.Request(id=memory_id)
        return self._call(ForgetMemory, "memory_server/forget", request, timeout)

    def import_memory(self, data: bytes, timeout: float = 30.0) -> ImportMemory.Response:
        """Give a memory file to the running server."""
        request = ImportMemory.Request(data=data)
        return self._call(ImportMemory, "memory_server/import_memory", request, timeout)

    def export_memory(self, memory_id: str, timeout: float = 30.0) -> ExportMemory.Response:
        """Fetch the bytes of a memory file from the running server."""
        request = ExportMemory.Request(id=memory_id)
        return self._call(ExportMemory, "memory_server/export_memory", request, timeout)

    def inspect(self, memory_id: str, timeout: float = 30.0) -> InspectMemory.Response:
        """Return what the running server knows about a memory."""
        request = InspectMemory.Request(id=memory_id)
        return self._call(InspectMemory, "memory_server/inspect", request, timeout)

    def close(self) -> None:
        """Leave the graph; the client cannot be used afterwards."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def __enter__(self) -> QueryClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _call(self, kind: type, name: str, request: Any, timeout: float) -> Any:
        """Call one service. Raises `NoAnswer`."""
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = self._node.create_client(kind, name)
        if not client.wait_for_service(timeout_sec=DISCOVERY_SECONDS):
            raise NoAnswer(
                f"nothing offers service {client.srv_name}: start the nodes with `ump up`, and use "
                "the same ROS_DOMAIN_ID and namespace here"
            )
        future = client.call_async(request)
        self._executor.spin_until_future_complete(future, timeout_sec=timeout)
        if not future.done():
            client.remove_pending_request(future)
            raise NoAnswer(f"service {client.srv_name} did not answer within {timeout:.0f} s")
        return future.result()
