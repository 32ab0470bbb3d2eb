"""Reading bags as raw messages, and the pace of a replay."""

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from universal_memory.runtime.recording import Pace, Recording, RecordingError, remapped

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
TYPES = get_typestore(Stores.ROS2_KILTED)


def write_bag(path, messages=3, storage=StoragePlugin.MCAP):
    with Writer(path, version=9, storage_plugin=storage) as writer:
        kind = "std_msgs/msg/UInt8MultiArray"
        connection = writer.add_connection("/bytes", kind, typestore=TYPES)
        layout = TYPES.types["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=0)
        for number in range(messages):
            data = np.full(1000, number, np.uint8)
            message = TYPES.types[kind](layout=layout, data=data)
            writer.write(connection, START + number * SECOND, TYPES.serialize_cdr(message, kind))
    return path


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_reads_raw_messages_in_order(tmp_path, storage):
    with Recording(write_bag(tmp_path / "bag", storage=storage)) as recording:
        records = list(recording.records())
        assert recording.name == "bag"
        assert recording.topics["/bytes"].kind == "std_msgs/msg/UInt8MultiArray"
        assert recording.topics["/bytes"].messages == 3
        assert recording.topics["/bytes"].reliable
    assert [record.stamp for record in records] == [START + n * SECOND for n in range(3)]
    assert all(record.data.endswith(bytes([n]) * 1000) for n, record in enumerate(records))
    assert 2 <= recording.seconds < 2.1


def test_a_file_of_the_bag_names_the_bag_too(tmp_path):
    bag = write_bag(tmp_path / "bag")
    with Recording(next(bag.glob("*.mcap"))) as recording:
        assert len(list(recording.records())) == 3


def test_missing_foreign_and_empty_bags_are_refused_with_the_reason(tmp_path):
    with pytest.raises(RecordingError, match=f"no bag at {tmp_path / 'nowhere'}"):
        Recording(tmp_path / "nowhere")
    with pytest.raises(RecordingError, match=r"no metadata\.yaml"):
        Recording(tmp_path)
    with pytest.raises(RecordingError, match="holds no message"):
        Recording(write_bag(tmp_path / "empty", messages=0))


@pytest.mark.parametrize("damage", ["truncated", "garbage", "metadata", "gone"])
def test_a_damaged_bag_is_a_clear_error(tmp_path, damage):
    bag = write_bag(tmp_path / "bag", messages=20)
    data = next(bag.glob("*.mcap"))
    if damage == "truncated":
        data.write_bytes(data.read_bytes()[:3000])
    elif damage == "garbage":
        data.write_bytes(b"\x07" * 5000)
    elif damage == "metadata":
        (bag / "metadata.yaml").write_text("rosbag2_bagfile_information: 3")
    else:
        data.unlink()
    with pytest.raises(RecordingError, match=str(bag)), Recording(bag) as recording:
        list(recording.records())


def test_pace_is_a_straight_line_through_the_start():
    pace = Pace(start=START, origin=100.0, rate=4.0)
    assert pace.due(START) == 100.0
    assert pace.due(START + 8 * SECOND) == 102.0
    assert pace.now(102.0) == START + 8 * SECOND
    for rate in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="above 0"):
            Pace(START, 0.0, rate)


def test_remaps_must_name_recorded_topics(tmp_path):
    with Recording(write_bag(tmp_path / "bag")) as recording:
        assert remapped(recording.topics, {"/bytes": "/other"}) == {"/bytes": "/other"}
        with pytest.raises(RecordingError, match=r"no topic /picture.*it has /bytes"):
            remapped(recording.topics, {"/picture": "/image"})
