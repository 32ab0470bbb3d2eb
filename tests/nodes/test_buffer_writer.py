"""The thread between the compiler's callback and the disk: what it does when the disk refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header
from universal_memory_msgs.msg import ExperienceEvent

from universal_memory.experience.buffer import RollingBuffer, RollingBufferError
from universal_memory.experience.event import Event
from universal_memory.nodes import buffer_writer
from universal_memory.nodes.buffer_writer import BufferWriter
from universal_memory.nodes.health import Health


def said(second: int) -> ExperienceEvent:
    header = Header(stamp=Time(sec=second))
    return ExperienceEvent(header=header, stream="audio", modality="audio", text=f"text {second}")


class FullDisk(RollingBuffer):
    """A buffer whose disk is full until `room` is set."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.room = threading.Event()

    def append(self, event: Event) -> int:
        if not self.room.is_set():
            raise RollingBufferError("the disk is full: free some space")
        return super().append(event)


@pytest.fixture
def buffer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FullDisk]:
    monkeypatch.setattr(buffer_writer, "RETRY_SECONDS", 0.01)
    with FullDisk(tmp_path / "buffer.sqlite") as opened:
        yield opened


def wait(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    assert any(condition() or pause.wait(0.02) for _ in range(500)), "waited in vain"


def test_a_full_disk_is_an_error_with_the_remedy_and_loses_nothing(buffer: FullDisk) -> None:
    health = Health()
    writer = BufferWriter(buffer, capacity=2, health=health)
    writer.write(said(1))
    wait(lambda: writer.errors > 1)
    assert "free some space" in health.error and writer.written == 0
    for second in (2, 3, 4):  # one more than may wait
        writer.write(said(second))
    assert writer.counters.waiting == 2 and health.refused == {"full": 1}
    buffer.room.set()
    wait(lambda: writer.written == 3)
    assert health.error == ""
    assert [row.event.text for row in buffer.pending()] == ["text 1", "text 2", "text 3"]
    writer.stop()


def test_stopping_does_not_wait_for_a_full_disk(buffer: FullDisk) -> None:
    health = Health()
    writer = BufferWriter(buffer, capacity=2, health=health)
    writer.write(said(1))
    wait(lambda: writer.errors > 0)
    writer.stop()
    assert health.refused == {"event": 1} and writer.counters.failed == 1
