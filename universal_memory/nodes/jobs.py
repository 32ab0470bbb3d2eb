"""
Work of a service call, one at a time, in a thread of its own, with a bounded queue.

The service callback waits for its own job. That holds one of the executor's threads, which is why
the queue is short and a full one is refused at once; `await` would be the natural way, but rclpy
(up to Kilted's 9.1) polls an awaiting callback without pause and takes a whole CPU core from the
very model it waits for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Busy(RuntimeError):
    """The queue is full, or the node is stopping; the message says what to do."""


class Jobs:
    """Runs jobs in order. Everything that touches a model or a store goes through one of these."""

    def __init__(self, name: str, capacity: int) -> None:
        """`capacity` jobs may wait beside the running one."""
        self._capacity = capacity
        self._lock = threading.Lock()
        self._open = 0
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    @property
    def length(self) -> int:
        """Number of jobs that wait or run."""
        return self._open

    def run(self, job: Callable[[], Result]) -> Result:
        """Return what `job` returns, or raise what it raises; `Busy` if there is no room."""
        with self._lock:
            if self._open > self._capacity:
                raise Busy(
                    f"busy: {self._open} requests are waiting, more than queue_size "
                    f"{self._capacity} allows; ask again when they are done"
                )
            try:
                future = self._pool.submit(job)
            except RuntimeError as error:
                raise Busy("the node is stopping: ask again when it is active") from error
            self._open += 1
        try:
            return future.result()
        except CancelledError as error:
            raise Busy("the node is stopping: ask again when it is active") from error
        finally:
            with self._lock:
                self._open -= 1

    def try_start(self, job: Callable[[], object]) -> bool:
        """Start `job` and do not wait; False if something else runs (a schedule just skips)."""
        with self._lock:
            if self._open:
                return False
            try:
                future = self._pool.submit(job)
            except RuntimeError:
                return False
            self._open += 1
        future.add_done_callback(self._finished)
        return True

    def stop(self, wait: bool) -> None:
        """Refuse further jobs and drop the waiting ones; `wait` for the running one."""
        self._pool.shutdown(wait=wait, cancel_futures=True)

    def _finished(self, _future: object) -> None:
        with self._lock:
            self._open -= 1
