"""
How a node's process starts, spins and ends: quietly, with exit code 0, whenever it is told to.

The executor spins in a thread and the main thread only waits for SIGINT or SIGTERM, so that a
signal never interrupts a callback half way, may come any number of times, and the node still has a
valid context in which to hand over what it holds. rclpy's own handlers would take that away first.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.task import Future

# Started on demand. Waiting service calls (`Jobs`) each hold one, at most 9 of them.
EXECUTOR_THREADS = 16
AWAKE_SECONDS = 0.5
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@runtime_checkable
class Closable(Protocol):
    """A node that holds threads, files or models."""

    def close(self) -> None:
        """Hand over what is queued, stop threads, close files. No callback starts after it."""


def run(factory: Callable[[], Node], arguments: list[str] | None = None) -> int:
    """
    Make a node, spin it until a signal, close it, and return the exit code of the process.

    A parameter out of range or a missing model in `factory` is logged in one line and gives 1. An
    exception that leaves a callback is a bug: it is raised.
    """
    told_to_stop = threading.Event()
    for number in STOP_SIGNALS:
        signal.signal(number, lambda *_: told_to_stop.set())
    # The supervisor starts us with SIGINT blocked, so that Ctrl-C while Python still imports is
    # kept for here.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
        node = factory()
    except (ValueError, OSError, ParameterException) as error:
        rclpy.logging.get_logger("universal_memory").fatal(str(error))
        rclpy.try_shutdown()
        return 1
    spinner = Spinner(node, told_to_stop)
    node.get_logger().info("started")
    # A signal that comes between the last look at signals and the sleep does not end the sleep.
    while not told_to_stop.wait(AWAKE_SECONDS):
        pass
    spinner.stop()
    if isinstance(node, Closable):
        node.close()
    rclpy.try_shutdown()
    if spinner.error is not None:
        raise spinner.error
    if any(t is not threading.main_thread() and not t.daemon for t in threading.enumerate()):
        # A callback still loads a model. What is worth keeping is on disk by now, so leave
        # instead of waiting the seconds it may take.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0


class Spinner:
    """A MultiThreadedExecutor in a thread; sets `ended` when it stops, for whatever reason."""

    def __init__(self, node: Node, ended: threading.Event) -> None:
        """Start to spin `node`."""
        self.error: Exception | None = None
        self._ended = ended
        self._stop: Future[None] = Future()
        self._executor = MultiThreadedExecutor(EXECUTOR_THREADS, context=node.context)
        self._executor.add_node(node)
        self._thread = threading.Thread(target=self._spin, name="spin", daemon=True)
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Start no further callback; wait at most `timeout` seconds for the running ones."""
        self._stop.set_result(None)
        self._thread.join(timeout)
        self._executor.shutdown(timeout_sec=0.0, wait_for_threads=False)

    def _spin(self) -> None:
        try:
            self._executor.spin_until_future_complete(self._stop)
        except ExternalShutdownException:
            pass
        except Exception as error:  # handed to the main thread, which raises it
            self.error = error
        finally:
            self._ended.set()
