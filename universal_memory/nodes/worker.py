"""
One thread that does a node's heavy work, behind a queue of known length.

A callback only calls `offer` and returns, so the executor never waits for a network or a disk.
What the queue does when it is full is chosen per node and counted either way:

- `newest_wins=True` (camera): the oldest waiting item is dropped; an old frame is worth nothing.
- `newest_wins=False` (audio, tools): the new item is refused; what waits is kept in order.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class WorkerCounters:
    """What went through a worker: counts since it started, `waiting` and the last duration now."""

    offered: int = 0
    done: int = 0
    dropped: int = 0
    failed: int = 0
    waiting: int = 0
    last_ms: float = 0.0


class Worker(Generic[Item]):
    """
    Calls `handle(item)` for each offered item, in order, in its own thread.

    `idle` is called in the same thread whenever nothing came for `idle_seconds` (an utterance ends
    when the microphone stops). An exception of either goes to `failed` and the thread goes on.
    """

    def __init__(
        self,
        handle: Callable[[Item], None],
        capacity: int,
        newest_wins: bool,
        failed: Callable[[Exception], None],
        idle: Callable[[], None] | None = None,
        idle_seconds: float = 1.0,
    ) -> None:
        """Start the thread. `capacity` is the number of items that may wait, at least 1."""
        if capacity < 1:
            raise ValueError(f"capacity {capacity} is below 1: the worker could never get an item")
        self._handle = handle
        self._capacity = capacity
        self._newest_wins = newest_wins
        self._failed = failed
        self._idle = idle
        self._idle_seconds = idle_seconds
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._counters = WorkerCounters()
        # A daemon: a model that computes for seconds must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="worker", daemon=True)
        self._thread.start()

    def offer(self, item: Item) -> bool:
        """Queue `item` without waiting; False if something had to be dropped for lack of room."""
        with self._changed:
            if self._stopping:
                return False
            full = len(self._items) >= self._capacity
            self._count(offered=1, dropped=int(full))
            if full and not self._newest_wins:
                return False
            if full:
                self._items.popleft()
            self._items.append(item)
            self._changed.notify()
            return not full

    @property
    def counters(self) -> WorkerCounters:
        """A snapshot of the counters."""
        with self._changed:
            return replace(self._counters, waiting=len(self._items))

    def stop(self, drain: bool, timeout: float) -> bool:
        """
        End the thread and return whether it ended within `timeout` seconds.

        With `drain` the waiting items are done first, else they are dropped and counted.
        """
        with self._changed:
            self._stopping = True
            if not drain:
                self._count(dropped=len(self._items))
                self._items.clear()
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _count(self, **increments: int) -> None:
        self._counters = replace(
            self._counters,
            **{name: getattr(self._counters, name) + by for name, by in increments.items()},
        )

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._items and not self._stopping:
                    self._changed.wait(self._idle_seconds if self._idle else None)
                if not self._items and self._stopping:
                    break
                work = partial(self._handle, self._items.popleft()) if self._items else None
            if work:
                started = time.monotonic()
                done = self._guard(work)
                took = (time.monotonic() - started) * 1000.0
                with self._changed:
                    self._count(done=int(done), failed=int(not done))
                    self._counters = replace(self._counters, last_ms=took)
            elif self._idle:
                self._guard(self._idle)
        if self._idle:
            self._guard(self._idle)

    def _guard(self, work: Callable[[], None]) -> bool:
        try:
            work()
        except Exception as error:  # the boundary of the thread: report and go on
            self._failed(error)
            return False
        return True
