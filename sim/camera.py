"""The robot's camera in the home, and the path it drives through the day."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType

import cv2
import numpy as np

os.environ.setdefault("MUJOCO_GL", "egl")  # headless rendering; before mujoco is imported

import mujoco

from sim import home, textures
from sim.script import DWELL_SECONDS, SCENE_SECONDS, SCENES, View, duration

WIDTH, HEIGHT = 640, 480
CAMERA_HEIGHT = 1.25  # above the floor [m]
MOVING_HZ, STILL_HZ = 4.0, 1.0

_TURN_SECONDS = 1.5  # the robot turns to and from a sign on the spot


@dataclass(frozen=True)
class Stand:
    """Where the camera is at one moment: metres and degrees in frame `map`."""

    x: float
    y: float
    yaw: float
    pitch: float

    @property
    def orientation(self) -> tuple[float, float, float, float]:
        """Quaternion x, y, z, w of the camera body (x forward, z up)."""
        yaw, pitch = math.radians(self.yaw) / 2, -math.radians(self.pitch) / 2
        return (
            -math.sin(pitch) * math.sin(yaw),
            math.sin(pitch) * math.cos(yaw),
            math.cos(pitch) * math.sin(yaw),
            math.cos(pitch) * math.cos(yaw),
        )


class Camera:
    """Renders the home; close it to free the EGL context."""

    def __init__(self) -> None:
        document, assets = home.build()
        self._model = mujoco.MjModel.from_xml_string(document, assets)
        self._data = mujoco.MjData(self._model)
        mujoco.mj_forward(self._model, self._data)
        self._renderer = mujoco.Renderer(self._model, HEIGHT, WIDTH)
        self._eye = mujoco.MjvCamera()
        self._eye.type = mujoco.mjtCamera.mjCAMERA_FREE

    def picture(self, stand: Stand) -> textures.Image:
        """What the camera sees: RGB uint8 [480, 640, 3]."""
        yaw, pitch = math.radians(stand.yaw), math.radians(stand.pitch)
        ahead = np.array(
            (math.cos(yaw) * math.cos(pitch), math.sin(yaw) * math.cos(pitch), math.sin(pitch))
        )
        self._eye.lookat = np.array((stand.x, stand.y, CAMERA_HEIGHT)) + ahead
        self._eye.distance = 1.0
        self._eye.azimuth, self._eye.elevation = stand.yaw, stand.pitch
        # Shadows cost more than all the rest: only the nearest lamp of a ceiling casts them.
        lamps = self._model.light_pos[:, :2]
        nearest = np.linalg.norm(lamps - (stand.x, stand.y), axis=1).argmin()
        self._model.light_castshadow[:] = np.arange(len(lamps)) == nearest
        self._renderer.update_scene(self._data, camera=self._eye)
        return self._renderer.render()

    def close(self) -> None:
        """Frees the renderer."""
        self._renderer.close()

    def __enter__(self) -> Camera:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def jpeg(image: textures.Image, quality: int) -> bytes:
    """The image as JPEG bytes."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"could not encode an image of shape {image.shape} as JPEG")
    return data.tobytes()


def times() -> Iterator[tuple[float, bool]]:
    """Seconds of all frames since the day began, and whether the robot moves then."""
    tick = 0
    steps = int(MOVING_HZ / STILL_HZ)
    while (seconds := tick / MOVING_HZ) < duration():
        scene, within = divmod(seconds, SCENE_SECONDS)
        moving = within >= DWELL_SECONDS and scene < len(SCENES) - 1
        if moving or tick % steps == 0:
            yield seconds, moving
        tick += 1


def stand_at(seconds: float) -> Stand:
    """Where the camera is, `seconds` after the day began."""
    number = min(int(seconds // SCENE_SECONDS), len(SCENES) - 1)
    here = SCENES[number].view
    away = seconds - number * SCENE_SECONDS - DWELL_SECONDS
    if away <= 0 or number == len(SCENES) - 1:
        return Stand(here.x, here.y, here.yaw, here.pitch)
    return _drive(here, SCENES[number + 1].view, away, SCENE_SECONDS - DWELL_SECONDS)


def _drive(here: View, there: View, away: float, total: float) -> Stand:
    """On the way: turn on the spot, drive through the doorways at even speed, turn on the spot."""
    points = [(here.x, here.y), *_doorways(here.room, there.room), (there.x, there.y)]
    legs = [math.dist(a, b) for a, b in pairwise(points)]
    headings = [math.degrees(math.atan2(b[1] - a[1], b[0] - a[0])) for a, b in pairwise(points)]
    if away < _TURN_SECONDS:
        part = _ease(away / _TURN_SECONDS)
        pitch = here.pitch * (1 - part)
        return Stand(here.x, here.y, _between(here.yaw, headings[0], part), pitch)
    left = total - away
    if left < _TURN_SECONDS:
        part = _ease(1 - left / _TURN_SECONDS)
        return Stand(there.x, there.y, _between(headings[-1], there.yaw, part), there.pitch * part)
    gone = sum(legs) * _ease((away - _TURN_SECONDS) / (total - 2 * _TURN_SECONDS))
    for number, leg in enumerate(legs):
        if gone <= leg or number == len(legs) - 1:
            break
        gone -= leg
    part = min(gone / leg, 1.0) if leg else 0.0
    start, end = points[number], points[number + 1]
    yaw = headings[number]
    if number + 1 < len(legs) and leg - gone < 0.5:  # look into the next room before entering
        yaw = _between(yaw, headings[number + 1], 1 - (leg - gone) / 0.5)
    x = start[0] + part * (end[0] - start[0])
    y = start[1] + part * (end[1] - start[1])
    return Stand(x, y, yaw, 0.0)


def _doorways(start: str, end: str) -> list[tuple[float, float]]:
    """Doorways on the shortest way between two rooms."""
    ways: list[tuple[str, list[tuple[float, float]]]] = [(start, [])]
    seen = {start}
    while ways:
        room, doors = ways.pop(0)
        if room == end:
            return doors
        for rooms, door in home.DOORS.items():
            for other in rooms - {room}:
                if room in rooms and other not in seen:
                    seen.add(other)
                    ways.append((other, [*doors, door]))
    raise ValueError(f"no doorways lead from {start!r} to {end!r}: add one to home.DOORS")


def _ease(part: float) -> float:
    return part * part * (3 - 2 * part)


def _between(start: float, end: float, part: float) -> float:
    """Angle on the shorter way from `start` to `end` [deg]."""
    return start + ((end - start + 180) % 360 - 180) * part
