"""Shared helpers: events at a second of the day, without ceremony."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.buffered_event import BufferedEvent
from universal_memory.experience.event import Event, Modality

# A machine under load is not a failure.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

MakeEvent = Callable[..., Event]


def event(
    second: float, text: str, stream: str = "audio", modality: str = Modality.TEXT, tokens: int = 1
) -> Event:
    """Return an event stamped at `second`."""
    return Event(int(second * 1e9), stream, modality, tuple(range(tokens)), text)


def rows(*events: Event, segment: int = 0) -> list[BufferedEvent]:
    """Return events as the buffer would hand them out."""
    return [BufferedEvent(number, segment, one) for number, one in enumerate(events, start=1)]


@pytest.fixture
def make_event() -> MakeEvent:
    return event


@pytest.fixture
def make_rows() -> Callable[..., list[BufferedEvent]]:
    return rows


@pytest.fixture
def buffer(tmp_path: Path) -> Iterator[RollingBuffer]:
    with RollingBuffer(tmp_path / "buffer.sqlite") as opened:
        yield opened
