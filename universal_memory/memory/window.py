"""A window: the part of a robot's life that a question is about, by time and by place.

    Window(after=stamp, near=Place("map", (1.0, 2.0, math.nan), 3.0)).holds(record.provenance)

A memory counts when its time span overlaps the window. What is not known lies outside: memories of
others carry no stamps and no pose, so no time holds them and no place does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from universal_memory.experience.event import Event, Pose
from universal_memory.memory.record import Provenance

END_OF_TIME = 2**63 - 1  # the last stamp that a ledger can hold, nanoseconds


class WindowError(ValueError):
    """A window that nothing could be in; the message has the value and the remedy."""


@dataclass(frozen=True)
class Place:
    """A ball of `radius` metres around `position` (x, y, z), in metres in the frame `frame_id`.

    z NaN: at any height. Frames are compared by name, nothing is transformed.
    """

    frame_id: str
    position: tuple[float, float, float]
    radius: float

    def __post_init__(self) -> None:
        x, y, z = self.position
        if not self.frame_id:
            raise WindowError(
                f"the place {self.position} has no frame: name the frame of the robot's poses,"
                " for example 'map'"
            )
        if not (math.isfinite(x) and math.isfinite(y)) or math.isinf(z):
            raise WindowError(
                f"the place is {self.position}: give x, y and z as numbers in metres"
                " (z not a number: at any height)"
            )
        if not 0.0 < self.radius < math.inf:
            raise WindowError(
                f"the radius of the place is {self.radius}: give metres, more than 0"
            )

    def holds(self, pose: Pose) -> bool:
        """Whether a pose lies in it, its edge included."""
        given = 2 if math.isnan(self.position[2]) else 3
        return (
            pose.frame_id == self.frame_id
            and math.dist(pose.position[:given], self.position[:given]) <= self.radius
        )


@dataclass(frozen=True)
class Window:
    """Bounds of time, stamps in nanoseconds of the node clock, both included, and of place.

    None bounds nothing. Raises WindowError.
    """

    after: int | None = None
    before: int | None = None
    near: Place | None = None

    def __post_init__(self) -> None:
        for name, stamp in (("after", self.after), ("before", self.before)):
            if stamp is not None and not 0 < stamp <= END_OF_TIME:
                raise WindowError(f"{name} is {stamp} ns: give a stamp above 0 and below 2^63")
        if self.after is not None and self.before is not None and self.before < self.after:
            raise WindowError(
                f"before ({self.before} ns) is earlier than after ({self.after} ns): exchange them"
            )

    @property
    def span(self) -> tuple[int, int]:
        """First and last stamp in the window, nanoseconds; 0, no stamp, lies before every bound."""
        if self.after is self.before is None:
            return 0, END_OF_TIME
        return self.after or 1, self.before or END_OF_TIME

    def holds(self, origin: Provenance) -> bool:
        """Whether a memory of that origin is in the window."""
        pose = None if origin.pose is None else Pose(**origin.pose)
        return self._meets(origin.start_stamp, origin.end_stamp) and self._reaches(pose)

    def holds_event(self, event: Event) -> bool:
        """Whether an event that is in no memory yet is in the window."""
        return self._meets(event.stamp, event.stamp) and self._reaches(event.pose)

    def _reaches(self, pose: Pose | None) -> bool:
        return self.near is None or (pose is not None and self.near.holds(pose))

    def _meets(self, start: int, end: int) -> bool:
        first, last = self.span
        return first <= end and start <= last
