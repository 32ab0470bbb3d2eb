"""
The thread that puts events into the rolling buffer, in the order they came.

Each append is an fsync, far too slow for a callback. An event the disk refuses (full, read-only)
is tried again until it is written; further events queue up meanwhile and only beyond the queue's
capacity are they refused, and counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from universal_memory_msgs.msg import ExperienceEvent

from universal_memory.experience.buffer import RollingBuffer, RollingBufferError
from universal_memory.nodes.conversions import SECOND, from_message
from universal_memory.nodes.health import Health
from universal_memory.nodes.worker import Worker, WorkerCounters

RETRY_SECONDS = 1.0
STOP_SECONDS = 5.0


class BufferWriter:
    """Owns the only thread that writes events to `buffer`."""

    def __init__(self, buffer: RollingBuffer, capacity: int, health: Health) -> None:
        """Start the thread; `capacity` events may wait. Trouble is reported to `health`."""
        self.written = 0
        self.errors = 0
        self._buffer = buffer
        self._health = health
        self._stopping = threading.Event()
        self._span_lock = threading.Lock()
        self._oldest: int | None = None
        self._newest = 0
        self._worker: Worker[partial[None]] = Worker(
            lambda chore: chore(), capacity, newest_wins=False, failed=self._refuse
        )

    def write(self, message: ExperienceEvent) -> None:
        """Queue an event."""
        if not self._worker.offer(partial(self._append, message)):
            self._health.refuse("full", "events wait for the disk: free space or slow the streams")

    def start_segment(self) -> None:
        """Queue a break of time, after the clock jumped back."""
        self._worker.offer(partial(self._begin_segment))

    def settle(self, timeout: float) -> bool:
        """Wait until everything queued before this call is written; False after `timeout` [s]."""
        settled = threading.Event()
        return self._worker.offer(partial(settled.set)) and settled.wait(timeout)

    def waiting_since(self, oldest: int | None) -> None:
        """Tell the stamp of the oldest event that is not compiled yet, None if there is none."""
        with self._span_lock:
            self._oldest = oldest

    @property
    def seconds(self) -> float:
        """From the oldest event not compiled yet to the newest event, in seconds."""
        with self._span_lock:
            return 0.0 if self._oldest is None else max(0, self._newest - self._oldest) / SECOND

    @property
    def counters(self) -> WorkerCounters:
        """What went through the queue."""
        return self._worker.counters

    def stop(self) -> None:
        """Write what is queued and end the thread."""
        self._stopping.set()
        self._worker.stop(drain=True, timeout=STOP_SECONDS)

    def _append(self, message: ExperienceEvent) -> None:
        event = from_message(message)
        self._persist(lambda: self._buffer.append(event))
        self.written += 1
        with self._span_lock:
            self._newest = event.stamp
            if self._oldest is None:
                self._oldest = event.stamp

    def _begin_segment(self) -> None:
        self._persist(self._buffer.start_segment)

    def _persist(self, write: Callable[[], int]) -> None:
        """Write, again and again while the disk refuses; once more only when stopping."""
        while True:
            try:
                write()
            except RollingBufferError as error:
                self.errors += 1
                self._health.fail("buffer", f"cannot keep events: {error}")
                if self._stopping.wait(RETRY_SECONDS):
                    raise
            else:
                self._health.mend("buffer")
                return

    def _refuse(self, error: Exception) -> None:
        self._health.refuse("event", str(error))
