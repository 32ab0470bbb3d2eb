"""How a bag is wired to the nodes, and what the client process prints and reads."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from universal_memory_msgs.msg import MemoryHit
from universal_memory_msgs.srv import QueryMemory

from universal_memory.commands.demo import household_day
from universal_memory.nodes import demonstration
from universal_memory.nodes.interview import read_reply, reply_lines, reply_row
from universal_memory.runtime.recording import Recording, RecordingError, Topic


def bag(**kinds: str) -> Any:
    """A recording of topics /NAME of the given types."""
    topics = {f"/{name}": Topic(f"/{name}", kind, False, 1) for name, kind in kinds.items()}
    return SimpleNamespace(name="bag", topics=topics)


def test_the_household_day_fits_the_nodes():
    with Recording(household_day()) as recording:
        remaps, camera = demonstration.wiring(recording)
    assert remaps == {
        "image": "/camera/front/image",
        "pose": "/camera/front/pose",
        "audio": "/microphone/audio",
        "tool_calls": "/tool_calls",
    }
    assert camera == {"image_transport": "compressed"}


def test_raw_images_and_missing_streams_are_fine():
    remaps, camera = demonstration.wiring(bag(cam="sensor_msgs/msg/Image"))
    assert (remaps, camera) == ({"image": "/cam"}, {"image_transport": "raw"})
    remaps, camera = demonstration.wiring(bag(calls="universal_memory_msgs/msg/ToolCall"))
    assert (remaps, camera) == ({"tool_calls": "/calls"}, {})


def test_a_bag_of_something_else_is_refused_with_the_types():
    with pytest.raises(RecordingError, match=r"it has std_msgs/msg/Bool, and one of .*Image"):
        demonstration.wiring(bag(a="std_msgs/msg/Bool"))
    with pytest.raises(RecordingError, match="rename the topic to end in /compressed"):
        demonstration.wiring(bag(cam="sensor_msgs/msg/CompressedImage"))


def test_replies_survive_the_pipe_and_noise_does_not():
    response = QueryMemory.Response(
        answer='blue "bowl"\n',
        source="COMPILED",
        memories=[MemoryHit(id="ab" * 32, relevance=0.5, gate=1.0)],
        generate_ms=90.5,
        prompt_tokens=21,
    )
    line = json.dumps(reply_row(response))
    lines = list(reply_lines(["Loading weights\n", "3\n", "[1]\n", f"{line}\n"]))
    reply = read_reply(lines[0])
    assert len(lines) == 1
    assert reply.answer == 'blue "bowl"\n'
    assert reply.memories == (("ab" * 32, 0.5, 1.0),)
    assert reply.milliseconds["generate"] == 90.5
    assert reply.prompt_tokens == 21
