"""Quality of service of every topic of the package, with the reason, in one place."""

from __future__ import annotations

from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_profile_sensor_data

# Cameras and poses: best effort, small depth. A late frame is worth nothing and a resend would
# delay the next one; a best-effort subscriber also matches a reliable publisher.
SENSOR = qos_profile_sensor_data

# Microphones: best effort too, since drivers publish so, but a lost chunk is a lost syllable:
# deep enough for a second of 10 ms chunks.
SOUND = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)

# Events, tool calls and announcements of new files: each one counts, so reliable, and deep enough
# for the 100 events of a burst while the receiver writes to disk. Volatile, so that any ordinary
# publisher (`ros2 topic pub`, a bag) matches.
EVERY_ONE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)

# Status once a second: only the latest matters.
STATUS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
