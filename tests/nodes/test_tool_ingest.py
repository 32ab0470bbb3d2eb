"""Tool calls over real DDS: canonical text, and malformed JSON that is flagged and not lost."""

from __future__ import annotations

import pytest
from builtin_interfaces.msg import Time
from ros_graph import Graph
from std_msgs.msg import Header
from universal_memory_msgs.msg import ExperienceEvent, ToolCall

from universal_memory.nodes.tool_ingest import ToolIngest


def call(name: str, arguments: str, result: str, success: bool = True, sec: int = 100) -> ToolCall:
    header = Header(stamp=Time(sec=sec), frame_id="base_link")
    return ToolCall(header=header, name=name, arguments=arguments, result=result, success=success)


@pytest.mark.slow
def test_call_becomes_one_event_with_its_own_stamp(graph: Graph) -> None:
    graph.add(ToolIngest, stream="tools/kitchen", source="day.mcap")
    events = graph.collect(ExperienceEvent, "experience")
    calls = graph.publisher(ToolCall, "tool_calls")
    calls.publish(call("set_timer", '{"label": "oven", "minutes": 25}', '{"state": "ok"}'))
    graph.wait(lambda: events, "an event")
    event = events[0]
    assert event.text == "Tool set_timer(label=oven, minutes=25) returned state=ok."
    assert event.modality == ExperienceEvent.TOOL
    assert (event.stream, event.source) == ("tools/kitchen", "day.mcap")
    assert event.header.stamp.sec == 100 and event.header.frame_id == "base_link"
    assert len(event.tokens) > 5 and not event.flags and not event.has_pose


@pytest.mark.slow
def test_malformed_json_is_kept_flagged_and_reported(graph: Graph) -> None:
    graph.add(ToolIngest)
    events = graph.collect(ExperienceEvent, "experience")
    calls = graph.publisher(ToolCall, "tool_calls")
    calls.publish(call("scan", "{not json", "", sec=1))
    calls.publish(call("scan", "[" * 5000, "{}", success=False, sec=2))
    calls.publish(call("", "", "", sec=3))
    graph.wait(lambda: len(events) == 3, "three events")
    assert ExperienceEvent.FLAG_INVALID_JSON in events[0].flags and "not json" in events[0].text
    assert ExperienceEvent.FLAG_INVALID_JSON in events[1].flags
    graph.wait(lambda: graph.value("tool_ingest", "refused invalid_json") == "2", "the count")
    status = graph.status("tool_ingest")
    assert status is not None and status.level == b"\x01" and "flagged" in status.message


@pytest.mark.slow
def test_call_without_a_stamp_gets_the_node_clock_and_is_counted(graph: Graph) -> None:
    node = graph.add(ToolIngest)
    events = graph.collect(ExperienceEvent, "experience")
    before = node.get_clock().now().nanoseconds
    graph.publisher(ToolCall, "tool_calls").publish(call("ping", "{}", "{}", sec=0))
    graph.wait(lambda: events, "an event")
    stamp = events[0].header.stamp
    assert stamp.sec * 10**9 + stamp.nanosec >= before
    graph.wait(lambda: graph.value("tool_ingest", "refused stamp") == "1", "the count")


@pytest.mark.slow
def test_parameters_have_ranges_and_fixed_ones_stay(graph: Graph) -> None:
    from rclpy.exceptions import InvalidParameterValueException
    from rclpy.parameter import Parameter

    with pytest.raises((InvalidParameterValueException, ValueError)):
        graph.add(ToolIngest, queue_size=0)
    node = graph.add(ToolIngest)
    assert not node.set_parameters([Parameter("queue_size", value=7)])[0].successful
    assert node.describe_parameter("stream").description
