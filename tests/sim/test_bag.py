"""The committed bag reads back: streams, stamps, sizes, and it is the day of the script."""

import itertools
import json
from collections import defaultdict

import cv2
import numpy as np
import pytest
import yaml
from rosbags.rosbag2 import Reader

from sim import script
from sim.bag import AUDIO_TOPIC, CAMERA_TOPIC, POSE_TOPIC, ROOT, TOOL_TOPIC, typestore
from sim.make_household_day import question_rows

DAY = ROOT / "sim" / "household_day"
LARGEST = 12_000_000


def nanoseconds(stamp):
    return stamp.sec * 1_000_000_000 + stamp.nanosec


@pytest.fixture(scope="module")
def messages():
    """Topic → list of (time of recording, message)."""
    found = defaultdict(list)
    types = typestore()
    with Reader(DAY) as reader:
        for connection, stamp, data in reader.messages():
            message = types.deserialize_cdr(data, connection.msgtype)
            found[connection.topic].append((stamp, message))
    return found


def test_is_small_enough_to_commit():
    assert sum(path.stat().st_size for path in DAY.iterdir()) < LARGEST


def test_has_all_streams_for_the_whole_day(messages):
    assert set(messages) == {CAMERA_TOPIC, POSE_TOPIC, AUDIO_TOPIC, TOOL_TOPIC}
    stamps = [stamp for rows in messages.values() for stamp, _ in rows]
    assert (max(stamps) - min(stamps)) / 1e9 == pytest.approx(script.duration(), abs=2)
    assert len(messages[POSE_TOPIC]) == len(messages[CAMERA_TOPIC])


def test_stamps_increase_and_lie_before_the_recording(messages):
    for rows in messages.values():
        recorded = [stamp for stamp, _ in rows]
        headers = [nanoseconds(message.header.stamp) for _, message in rows]
        assert recorded == sorted(recorded)
        assert all(a < b for a, b in itertools.pairwise(headers))
        assert all(0 <= r - h <= 1_000_000_000 for r, h in zip(recorded, headers, strict=True))


def test_pictures_are_jpeg_of_a_lit_home(messages):
    rows = messages[CAMERA_TOPIC]
    for _, message in rows[:: len(rows) // 10]:
        image = cv2.imdecode(message.data, cv2.IMREAD_COLOR)
        assert message.format == "jpeg"
        assert image.shape == (480, 640, 3)
        assert image.mean() > 40
        assert image.std() > 5


def test_poses_are_unit_quaternions_inside_the_house(messages):
    for _, message in messages[POSE_TOPIC]:
        q, p = message.pose.orientation, message.pose.position
        assert np.linalg.norm((q.x, q.y, q.z, q.w)) == pytest.approx(1)
        assert 0 < p.x < 10
        assert 0 < p.y < 8
        assert message.header.frame_id == "map"


def test_sound_has_no_gap_and_speech_where_the_script_says(messages):
    rows = [message for _, message in messages[AUDIO_TOPIC]]
    assert {(row.sample_rate, row.channels, row.encoding) for row in rows} == {(16000, 1, "pcm16")}
    track = np.concatenate([row.data for row in rows])
    first = nanoseconds(rows[0].header.stamp)
    for row, start in zip(rows, np.cumsum([0, *(len(row.data) for row in rows)]), strict=False):
        assert nanoseconds(row.header.stamp) - first == pytest.approx(start * 62_500, abs=1000)
    for number, scene in enumerate(script.SCENES):
        if scene.utterance:
            at = int((number * script.SCENE_SECONDS + scene.utterance.at) * 16000)
            assert np.abs(track[at : at + 16000]).max() > 5000
            assert not track[at - 8000 : at].any()


def test_speakers_are_named_while_they_speak(messages):
    named = [message.speaker for _, message in messages[AUDIO_TOPIC]]
    spoken = [scene.utterance for scene in script.SCENES if scene.utterance]
    changes = [b for a, b in itertools.pairwise(named) if b and b != a]
    assert changes == [utterance.speaker for utterance in spoken]


def test_tool_calls_are_those_of_the_script(messages):
    calls = [scene.call for scene in script.SCENES if scene.call]
    rows = [message for _, message in messages[TOOL_TOPIC]]
    assert [row.name for row in rows] == [call.name for call in calls]
    for row, call in zip(rows, calls, strict=True):
        assert json.loads(row.arguments) == call.arguments
        assert json.loads(row.result) == call.result
        assert row.success == call.success


def test_questions_and_markers_beside_the_bag_are_those_of_the_script():
    read = yaml.safe_load((DAY / "questions.yaml").read_text())
    assert read == question_rows()
    assert yaml.safe_load((DAY / "markers.yaml").read_text()) == script.MARKER_NAMES
