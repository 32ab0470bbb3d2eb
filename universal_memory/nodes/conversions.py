"""Messages to the core's own types and back. Stamps are integers in nanoseconds inside."""

from __future__ import annotations

from array import array

from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from universal_memory_msgs.msg import ExperienceEvent

from universal_memory.experience.event import Event, Pose

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
