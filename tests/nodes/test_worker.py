"""The queue of a worker: what it drops, what it keeps, and that it says so."""

from __future__ import annotations

import threading

import pytest

from universal_memory.nodes.worker import Worker


class Gate:
    """A handler that holds every item until it is opened."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.entered = threading.Event()
        self.opened = threading.Event()

    def __call__(self, item: int) -> None:
        self.entered.set()
        assert self.opened.wait(10.0)
        self.items.append(item)


def blocked(newest_wins: bool, capacity: int) -> tuple[Gate, Worker[int]]:
    """Return a worker that is busy with item 0 and has an empty queue."""
    gate = Gate()
    worker: Worker[int] = Worker(gate, capacity, newest_wins, failed=lambda error: None)
    worker.offer(0)
    assert gate.entered.wait(10.0)
    return gate, worker


def test_newest_wins_drops_the_oldest_waiting_item() -> None:
    gate, worker = blocked(newest_wins=True, capacity=1)
    assert [worker.offer(item) for item in (1, 2, 3)] == [True, False, False]
    assert worker.counters.dropped == 2
    gate.opened.set()
    assert worker.stop(drain=True, timeout=10.0)
    assert gate.items == [0, 3]
    assert worker.counters.done == 2


def test_full_queue_refuses_the_new_item_and_keeps_order() -> None:
    gate, worker = blocked(newest_wins=False, capacity=2)
    assert [worker.offer(item) for item in (1, 2, 3)] == [True, True, False]
    assert worker.counters.waiting == 2
    gate.opened.set()
    assert worker.stop(drain=True, timeout=10.0)
    assert gate.items == [0, 1, 2]
    assert worker.counters.dropped == 1


def test_stop_without_drain_counts_what_it_drops_and_takes_no_more() -> None:
    gate, worker = blocked(newest_wins=False, capacity=5)
    worker.offer(1)
    gate.opened.set()
    worker.stop(drain=False, timeout=10.0)
    assert worker.offer(2) is False
    counters = worker.counters
    assert counters.done + counters.dropped == 2


def test_a_failing_item_is_reported_and_the_next_is_handled() -> None:
    errors: list[Exception] = []
    done: list[int] = []

    def handle(item: int) -> None:
        if item == 1:
            raise ValueError("item 1 is bad")
        done.append(item)

    worker: Worker[int] = Worker(handle, 10, False, errors.append)
    for item in (0, 1, 2):
        worker.offer(item)
    assert worker.stop(drain=True, timeout=10.0)
    assert done == [0, 2]
    assert [str(error) for error in errors] == ["item 1 is bad"]
    assert worker.counters.failed == 1


def test_idle_is_called_when_nothing_comes_and_once_at_the_end() -> None:
    idle = threading.Semaphore(0)
    worker: Worker[int] = Worker(
        lambda item: None, 1, False, lambda error: None, idle.release, idle_seconds=0.01
    )
    assert idle.acquire(timeout=10.0)
    assert worker.stop(drain=True, timeout=10.0)
    assert idle.acquire(timeout=10.0)


def test_capacity_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity 0"):
        Worker(lambda item: None, 0, False, lambda error: None)
