"""Images over real DDS: keyframes, drops under load, rubbish, poses, and both transports."""

from __future__ import annotations

import threading
from array import array
from pathlib import Path

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from geometry_msgs.msg import PoseStamped
from numpy.typing import NDArray
from rcl_interfaces.srv import GetParameters
from rclpy.parameter import parameter_value_to_python
from rclpy.qos import qos_profile_sensor_data
from ros_graph import Graph
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from universal_memory_msgs.msg import ExperienceEvent

from universal_memory.experience.event import Event, Modality, Pose
from universal_memory.nodes.camera_ingest import PARAMETERS, CameraIngest, marker_names

pytestmark = pytest.mark.slow


class Look:
    """A tokenizer for which every frame is a keyframe; `hold` makes it as slow as wanted."""

    def __init__(self) -> None:
        self.hold = threading.Event()
        self.hold.set()
        self.shapes: list[tuple[int, ...]] = []

    def tokenize(
        self, image: NDArray[np.uint8], stamp: int, stream: str, pose: Pose | None = None
    ) -> Event:
        assert self.hold.wait(20.0)
        self.shapes.append(image.shape)
        text = f"Camera sees: frame {stamp // 10**6}."
        return Event(stamp, stream, Modality.CAMERA, (1, 2), text, pose=pose)


def frame(millisecond: int, width: int = 64, height: int = 48, encoding: str = "rgb8") -> Image:
    stamp = Time(sec=millisecond // 1000, nanosec=millisecond % 1000 * 10**6)
    return Image(
        header=Header(stamp=stamp, frame_id="front_camera"),
        width=width,
        height=height,
        encoding=encoding,
        step=width * 3,
        data=array("B", bytes(width * height * 3)),
    )


def start(graph: Graph, look: Look, **parameters: object) -> CameraIngest:
    parameters.setdefault("min_interval_seconds", 0.0)
    node: CameraIngest = graph.add(lambda **o: CameraIngest(look, **o), **parameters)
    return node


def test_newest_frame_wins_at_30_hz_and_drops_are_counted(graph: Graph) -> None:
    look = Look()
    look.hold.clear()
    node = start(graph, look)
    events = graph.collect(ExperienceEvent, "experience")
    images = graph.publisher(Image, "image")
    for number in range(30):
        images.publish(frame(1000 + 33 * number, 640, 480))
        graph.wait(lambda sent=number + 1: offered(node) == sent, f"frame {number}")
    look.hold.set()
    graph.wait(lambda: len(events) == 2, "the frame in work and the newest")
    assert events[-1].text == f"Camera sees: frame {1000 + 33 * 29}."
    graph.wait(lambda: graph.value("camera_ingest", "dropped") == "28", "28 drops")
    assert graph.value("camera_ingest", "waiting") == "0"


def offered(node: CameraIngest) -> int:
    assert node._worker is not None
    return node._worker.counters.offered


def test_rubbish_is_reported_and_the_next_image_is_seen(graph: Graph) -> None:
    start(graph, Look(), stream="camera/front")
    events = graph.collect(ExperienceEvent, "experience")
    images = graph.publisher(Image, "image")
    bad = [frame(1, encoding="nv99"), frame(2, 0, 0), frame(3)]
    bad[2].data = array("B", bytes(10))
    for number, image in enumerate(bad):
        images.publish(image)
        done = str(number + 1)
        graph.wait(lambda done=done: graph.value("camera_ingest", "failed") == done, "a refusal")
    assert graph.value("camera_ingest", "refused encoding") == "1"
    assert graph.value("camera_ingest", "refused size") == "2"
    status = graph.status("camera_ingest")
    assert status is not None and status.level == b"\x01"
    assert "10 bytes" in status.message
    images.publish(frame(4000))
    graph.wait(lambda: events, "an event")
    assert events[0].stream == "camera/front"
    assert events[0].header.frame_id == "front_camera"


def test_interval_is_of_stamps_and_a_clock_that_jumps_back_starts_afresh(graph: Graph) -> None:
    node = start(graph, Look(), min_interval_seconds=1.0)
    events = graph.collect(ExperienceEvent, "experience")
    images = graph.publisher(Image, "image")
    for number, millisecond in enumerate((5000, 5500, 6000, 2000)):
        images.publish(frame(millisecond))
        done = str(number + 1)
        graph.wait(lambda done=done: graph.value("camera_ingest", "processed") == done, "a frame")
    graph.wait(lambda: len(events) == 3, "three events")
    assert [event.header.stamp.sec for event in events] == [5, 6, 2]
    assert node.published == 3


def test_pose_of_the_moment_is_attached_with_its_frame(graph: Graph) -> None:
    node = start(graph, Look())
    events = graph.collect(ExperienceEvent, "experience")
    pose = PoseStamped(header=Header(stamp=Time(sec=7), frame_id="map"))
    pose.pose.position.x, pose.pose.orientation.w = 1.5, 1.0
    graph.publisher(PoseStamped, "pose").publish(pose)
    assert node._poses is not None
    graph.wait(lambda: node._poses.nearest(7 * 10**9), "the pose")
    images = graph.publisher(Image, "image")
    images.publish(frame(7200))
    graph.wait(lambda: len(events) == 1, "the first event")
    images.publish(frame(9000))
    graph.wait(lambda: len(events) == 2, "the second event")
    assert events[0].has_pose and events[0].pose.header.frame_id == "map"
    assert events[0].pose.pose.position.x == 1.5
    assert not events[1].has_pose


def test_compressed_transport_follows_the_name_of_the_image(graph: Graph) -> None:
    look = Look()
    start(graph, look, image_transport="compressed")
    images = graph.publisher(CompressedImage, "image/compressed", qos_profile_sensor_data)
    events = graph.collect(ExperienceEvent, "experience")
    encoded, data = cv2.imencode(".jpg", np.zeros((48, 64, 3), np.uint8))
    assert encoded
    header = Header(stamp=Time(sec=1))
    images.publish(CompressedImage(header=header, format="jpeg", data=data.tobytes()))
    graph.wait(lambda: events, "an event")
    assert look.shapes == [(48, 64, 3)]
    images.publish(CompressedImage(header=header, format="jpeg", data=b"rubbish"))
    graph.wait(lambda: graph.value("camera_ingest", "refused encoding") == "1", "a refusal")


def test_real_models_read_a_sign_and_a_named_marker(graph: Graph) -> None:
    graph.add(CameraIngest, markers=["7=charging dock"], stream="camera/front")
    events = graph.collect(ExperienceEvent, "experience")
    picture = np.full((480, 640, 3), 255, np.uint8)
    cv2.putText(picture, "PHARMACY", (120, 120), cv2.FONT_HERSHEY_SIMPLEX, 2.5, (0, 0, 0), 6)
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50)
    picture[240:400, 240:400] = cv2.aruco.generateImageMarker(dictionary, 7, 160)[..., None]
    image = frame(5000, 640, 480)
    image.data = array("B", picture.tobytes())
    graph.publisher(Image, "image").publish(image)
    graph.wait(lambda: events, "an event", 60.0)
    assert "pharmacy" in events[0].text.lower() and "Marker: charging dock." in events[0].text
    assert len(events[0].tokens) == 49


def test_real_models_start_without_parameters_and_all_can_be_read(graph: Graph) -> None:
    """One parameter without a value, and `ros2 param dump` would get none at all."""
    node = graph.add(CameraIngest)
    names = [row.name for row in PARAMETERS]
    request = GetParameters.Request(names=names)
    response = graph.call(GetParameters, "camera_ingest/get_parameters", request)
    values = dict(zip(names, map(parameter_value_to_python, response.values), strict=True))
    assert values == {row.name: row.default for row in PARAMETERS}
    assert marker_names(node.parameters["markers"], node.parameters["marker_file"]) == {}


def test_marker_names_of_file_and_list(tmp_path: Path) -> None:
    file = tmp_path / "markers.yaml"
    file.write_text("12: charging dock\n13: pantry\n")
    assert marker_names(["12=cook's door"], str(file)) == {12: "cook's door", 13: "pantry"}
    for bad in ("12", "=name", "x=name", "12= "):
        with pytest.raises(ValueError, match="is not ID=NAME"):
            marker_names([bad], "")
    file.write_text("- a\n- b\n")
    with pytest.raises(ValueError, match="not a map"):
        marker_names([], str(file))
    with pytest.raises(OSError, match="nowhere"):
        marker_names([], str(tmp_path / "nowhere.yaml"))
