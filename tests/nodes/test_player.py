"""A recording on real DDS: bytes, order, clock, remaps, and what is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ros_graph import DOMAIN, Graph
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore
from rosgraph_msgs.msg import Clock
from std_msgs.msg import UInt8MultiArray

from universal_memory.nodes.player import CLOCK, NobodyListens, Player
from universal_memory.runtime.recording import Recording, RecordingError

pytestmark = pytest.mark.slow

SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND
TYPES = get_typestore(Stores.ROS2_KILTED)
KIND = "std_msgs/msg/UInt8MultiArray"


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    """A bag of 20 messages in two seconds on /bytes."""
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/bytes", KIND, typestore=TYPES)
        layout = TYPES.types["std_msgs/msg/MultiArrayLayout"](dim=[], data_offset=0)
        for number in range(20):
            message = TYPES.types[KIND](layout=layout, data=np.full(10, number, np.uint8))
            data = TYPES.serialize_cdr(message, KIND)
            writer.write(connection, START + number * SECOND // 10, data)
    return tmp_path / "bag"


def test_messages_arrive_in_order_and_the_clock_goes_on(graph: Graph, bag: Path) -> None:
    topic = f"{graph.namespace}/other"
    heard = graph.collect(UInt8MultiArray, topic)
    clocks = graph.collect(Clock, "/clock", CLOCK)
    with (
        Recording(bag) as recording,
        Player(recording, rate=8.0, remaps={"/bytes": topic}, domain_id=DOMAIN) as player,
    ):
        player.wait_for(["/bytes"])
        before = len(clocks)
        progress: list[float] = []
        player.play(progress.append)
        graph.wait(lambda: len(heard) == 20, "all messages")
        times = [c.clock.sec * SECOND + c.clock.nanosec for c in clocks[before:]]
        graph.wait(
            lambda: clocks[-1].clock.sec > START // SECOND + 3, "the clock after the last message"
        )
    assert [message.data[0] for message in heard] == list(range(20))
    assert times == sorted(times)
    assert times[0] >= START
    assert progress[-1] == pytest.approx(1.9, abs=0.01)


def test_nobody_listening_is_an_error_with_the_remedy(graph: Graph, bag: Path) -> None:
    with (
        Recording(bag) as recording,
        Player(recording, domain_id=DOMAIN) as player,
        pytest.raises(NobodyListens, match=r"/bytes.*ROS_DOMAIN_ID"),
    ):
        player.wait_for(["/bytes"], timeout=0.2)


def test_what_is_not_in_the_bag_cannot_be_waited_for_or_remapped(bag: Path) -> None:
    with Recording(bag) as recording:
        with (
            Player(recording, domain_id=DOMAIN) as player,
            pytest.raises(RecordingError, match=r"no topic /nothing.*it has /bytes"),
        ):
            player.wait_for(["/nothing"])
        with pytest.raises(RecordingError, match="no topic /nothing"):
            Player(recording, remaps={"/nothing": "/x"}, domain_id=DOMAIN)


def test_a_type_that_is_not_installed_is_named(tmp_path: Path) -> None:
    kind = "strange_msgs/msg/Thing"
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(
            "/thing", kind, msgdef="uint8 data", rihs01="RIHS01_" + "0" * 64
        )
        writer.write(connection, START, bytes(8))
    with (
        Recording(tmp_path / "bag") as recording,
        pytest.raises(RecordingError, match="install package strange_msgs"),
    ):
        Player(recording, domain_id=DOMAIN)
