"""Messages to the core's own types and back. Stamps are integers in nanoseconds inside."""

from __future__ import annotations

from array import array

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from universal_memory_msgs.msg import ExperienceEvent
from universal_memory_msgs.srv import QueryMemory

from universal_memory.experience.event import Event, Pose
from universal_memory.memory.window import Place, Window

SECOND = 1_000_000_000


def to_stamp(nanoseconds: int) -> Time:
    """Return `nanoseconds` since the epoch as a message."""
    return Time(sec=nanoseconds // SECOND, nanosec=nanoseconds % SECOND)


def from_stamp(stamp: Time) -> int:
    """Return a message's stamp in nanoseconds."""
    return stamp.sec * SECOND + stamp.nanosec


def to_pose(pose: Pose, stamp: int) -> PoseStamped:
    """Return `pose` as a message of that stamp in nanoseconds."""
    message = PoseStamped()
    message.header.frame_id = pose.frame_id
    message.header.stamp = to_stamp(stamp)
    position, orientation = message.pose.position, message.pose.orientation
    position.x, position.y, position.z = pose.position
    orientation.x, orientation.y, orientation.z, orientation.w = pose.orientation
    return message


def from_pose(message: PoseStamped) -> Pose:
    """Return the pose with its frame_id."""
    position, orientation = message.pose.position, message.pose.orientation
    return Pose(
        message.header.frame_id,
        (position.x, position.y, position.z),
        (orientation.x, orientation.y, orientation.z, orientation.w),
    )


def to_message(event: Event, frame_id: str = "") -> ExperienceEvent:
    """Return `event` as a message; `frame_id` is the sensor's frame."""
    message = ExperienceEvent()
    message.header.stamp = to_stamp(event.stamp)
    message.header.frame_id = frame_id
    message.stream = event.stream
    message.modality = event.modality
    message.tokens = array("I", event.tokens)
    message.text = event.text
    message.speaker = event.speaker
    if event.pose is not None:
        message.has_pose = True
        message.pose = to_pose(event.pose, event.stamp)
    message.flags = list(event.flags)
    message.features = array("f", event.features)
    message.source = event.source
    return message


def from_message(message: ExperienceEvent) -> Event:
    """Return the event of a message. Raises `ValueError` when a field could not be true."""
    return Event(
        stamp=from_stamp(message.header.stamp),
        stream=message.stream,
        modality=message.modality,
        tokens=tuple(message.tokens),
        text=message.text,
        speaker=message.speaker,
        pose=from_pose(message.pose) if message.has_pose else None,
        flags=tuple(message.flags),
        features=tuple(message.features),
        source=message.source,
    )


def window_of(request: QueryMemory.Request) -> Window | None:
    """Return the window of a question, None if it has none. Raises `WindowError`."""
    near, place = request.near, None
    # A radius without a frame is a mistake, and so is a frame without a radius: the place says so.
    if near.header.frame_id or request.near_radius != 0.0:
        position = (near.point.x, near.point.y, near.point.z)
        place = Place(near.header.frame_id, position, request.near_radius)
    after, before = from_stamp(request.after) or None, from_stamp(request.before) or None
    return Window(after, before, place) if after or before or place else None


def set_window(request: QueryMemory.Request, window: Window) -> None:
    """Write `window` into a question."""
    request.after, request.before = to_stamp(window.after or 0), to_stamp(window.before or 0)
    if window.near is not None:
        request.near.header.frame_id = window.near.frame_id
        request.near.point.x, request.near.point.y, request.near.point.z = window.near.position
        request.near_radius = window.near.radius
