"""A rosbag2 recording as raw messages, and the pace at which it is replayed.

Messages stay CDR bytes from file to wire: nothing is decoded, so a bag of any types can be replayed
where those types are installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rosbags.interfaces import Connection, QosReliability
from rosbags.rosbag2 import Reader, ReaderError

NANOSECONDS = 1_000_000_000


class RecordingError(ValueError):
    """A bag that cannot be replayed; the message has the remedy."""


@dataclass(frozen=True)
class Topic:
    """A recorded topic: `name`, type as `package/msg/Name`, and the publisher's reliability."""

    name: str
    kind: str
    reliable: bool
    messages: int


@dataclass(frozen=True)
class Record:
    """One message: topic, time of recording in nanoseconds, serialized data (CDR)."""

    topic: str
    stamp: int
    data: bytes


class Recording:
    """An open bag. Use it in a `with` statement.

    Attributes:
        topics: what was recorded, by name.
        start, end: time of the first and just after the last message [ns].

    Raises:
        RecordingError: no bag there, or it is damaged, empty or of an unknown storage.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            raise RecordingError(f"no bag at {path}: name the folder of a rosbag2 recording")
        if path.is_file():
            path = path.parent
        if not (path / "metadata.yaml").is_file():
            raise RecordingError(f"{path} is no rosbag2 recording: it has no metadata.yaml")
        try:
            self._reader = Reader(path)
            self._reader.open()
        except (ReaderError, OSError) as error:
            raise RecordingError(
                f"cannot read the bag {path}: {error}; record it again as mcap or sqlite3"
            ) from error
        if not self._reader.message_count:
            self._reader.close()
            raise RecordingError(f"the bag {path} holds no message")
        self.start, self.end = self._reader.start_time, self._reader.end_time
        self.topics = {
            name: Topic(name, info.msgtype or "", _reliable(info.connections), info.msgcount)
            for name, info in self._reader.topics.items()
        }

    @property
    def name(self) -> str:
        """Name of the bag, for provenance."""
        return self._path.stem if self._path.is_file() else self._path.resolve().name

    @property
    def seconds(self) -> float:
        """Length in seconds of bag time."""
        return (self.end - self.start) / NANOSECONDS

    def records(self) -> Iterator[Record]:
        """All messages in the order of recording. Raises RecordingError in a damaged file."""
        try:
            for connection, stamp, data in self._reader.messages():
                yield Record(connection.topic, stamp, bytes(data))
        except (ReaderError, OSError, ValueError) as error:
            raise RecordingError(f"the bag {self._path} is damaged: {error}") from error

    def close(self) -> None:
        """Close the files."""
        if self._reader.is_open:
            self._reader.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True)
class Pace:
    """Bag time as a straight line of wall time: `origin` [s, monotonic] is `start` [ns]."""

    start: int
    origin: float
    rate: float

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError(f"rate is {self.rate}: give a number above 0, 1 is real time")

    def due(self, stamp: int) -> float:
        """When a message of `stamp` is to be sent [s, monotonic]."""
        return self.origin + (stamp - self.start) / (NANOSECONDS * self.rate)

    def now(self, monotonic: float) -> int:
        """Bag time at a moment of wall time [ns]."""
        return self.start + round((monotonic - self.origin) * NANOSECONDS * self.rate)


def remapped(topics: Mapping[str, Topic], remaps: Mapping[str, str]) -> dict[str, str]:
    """Recorded name → name to publish on, for all topics.

    Raises RecordingError where a remapped topic is not in the bag.
    """
    if unknown := sorted(set(remaps) - set(topics)):
        raise RecordingError(
            f"the bag has no topic {', '.join(unknown)}: it has {', '.join(sorted(topics))}"
        )
    return {name: remaps.get(name, name) for name in topics}


def _reliable(connections: list[Connection]) -> bool:
    """Whether any publisher was reliable; true where the bag does not say."""
    profiles = [
        profile
        for connection in connections
        for profile in getattr(connection.ext, "offered_qos_profiles", ())
    ]
    return not profiles or any(p.reliability == QosReliability.RELIABLE for p in profiles)
