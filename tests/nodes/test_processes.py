"""Nodes as processes: they start, say they are ready, and end with 0 and without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import parameter_value_to_python
from rclpy.parameter_client import AsyncParameterClient
from ros_graph import DOMAIN

from universal_memory.node_table import NODE_TABLE, NodeEntry
from universal_memory.nodes.supervisor import NodeProcess, NotReady, Supervisor
from universal_memory.resources import models_dir

pytestmark = pytest.mark.slow

ENVIRONMENT = {"ROS_DOMAIN_ID": str(DOMAIN), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
TOOL = NodeProcess("tool_ingest", namespace="robot", parameters={"stream": "tools/it's"})


def start(*nodes: NodeProcess) -> tuple[Supervisor, dict[str, list[str]]]:
    lines: dict[str, list[str]] = defaultdict(list)
    supervisor = Supervisor(nodes, lambda name, text: lines[name].append(text), ENVIRONMENT)
    supervisor.start()
    return supervisor, lines


def test_supervisor_waits_for_nodes_and_stops_them_cleanly() -> None:
    supervisor, lines = start(TOOL)
    try:
        supervisor.wait_ready(120.0)
        assert supervisor.ended() == {}
    finally:
        codes = supervisor.stop()
    assert codes == {"/robot/tool_ingest": 0}
    assert not [text for text in lines["tool_ingest"] if "Traceback" in text]


def test_parameters_reach_a_node_in_a_namespace_and_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "robot.yaml"
    file.write_text(
        "/**/tool_ingest:\n  ros__parameters:\n    stream: from_file\n    source: from_file\n"
        "/**:\n  ros__parameters:\n    use_sim_time: false\n"
    )
    node = NodeProcess(
        "tool_ingest",
        namespace="robot",
        parameter_files=(file,),
        parameters={"stream": "tools/it's", "use_sim_time": True},
    )
    supervisor, _ = start(node)
    context = rclpy.Context()
    rclpy.init(args=[], context=context, domain_id=DOMAIN)
    try:
        supervisor.wait_ready(120.0)
        helper = rclpy.create_node("helper", context=context)
        client = AsyncParameterClient(helper, "/robot/tool_ingest")
        assert client.wait_for_services(15.0)
        executor = SingleThreadedExecutor(context=context)
        executor.add_node(helper)
        future = client.get_parameters(["stream", "source", "use_sim_time"])
        executor.spin_until_future_complete(future, 15.0)
        values = [parameter_value_to_python(value) for value in future.result().values]
        assert values == ["tools/it's", "from_file", True]
    finally:
        supervisor.stop()
        rclpy.try_shutdown(context=context)


def test_stopping_while_python_still_imports_gives_no_traceback() -> None:
    supervisor, lines = start(TOOL)
    codes = supervisor.stop()
    # On a machine so busy that importing outlasts the patience for SIGINT, it is SIGTERM.
    assert codes in ({"/robot/tool_ingest": 0}, {"/robot/tool_ingest": -signal.SIGTERM}), lines
    assert not [text for text in lines["tool_ingest"] if "Traceback" in text]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("entry", NODE_TABLE, ids=lambda entry: str(entry.executable))
def test_signal_even_twice_ends_a_node_with_zero(
    entry: NodeEntry, number: signal.Signals, untrained: Path, tmp_path: Path
) -> None:
    """The lifecycle nodes get it while they load their models."""
    process = subprocess.Popen(
        NodeProcess(entry.executable).command(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={
            **os.environ,
            **ENVIRONMENT,
            "UMP_HOME": str(tmp_path),
            "UMP_MODELS": str(untrained if entry.lifecycle else models_dir()),
        },
    )
    assert process.stdout is not None
    assert any("started" in line for line in process.stdout)
    process.send_signal(number)
    process.send_signal(number)
    output, _ = process.communicate(timeout=120.0)
    assert process.returncode == 0, output
    assert "Traceback" not in output


def test_a_bad_parameter_is_one_line_and_not_ready() -> None:
    supervisor, lines = start(NodeProcess("tool_ingest", parameters={"queue_size": -1}))
    try:
        with pytest.raises(NotReady, match="tool_ingest ended with exit code 1"):
            supervisor.wait_ready(120.0)
    finally:
        supervisor.stop()
    text = "\n".join(lines["tool_ingest"])
    assert "queue_size" in text and "Traceback" not in text


def test_a_node_that_never_comes_is_named(tmp_path: Path) -> None:
    supervisor, _ = start(NodeProcess("tool_ingest", lifecycle=True))
    try:
        with pytest.raises(NotReady, match="not ready after 2 s: /tool_ingest"):
            supervisor.wait_ready(2.0)
    finally:
        supervisor.stop()


def test_command_line_quotes_values_and_addresses_the_node() -> None:
    command = NodeProcess(
        "camera_ingest",
        name="front",
        namespace="/robot/",
        parameters={"markers": ["12=the cook's door"], "ocr": False, "min_interval": 0.5},
        remaps={"image": "/front/image_raw"},
    ).command()
    text = " ".join(command)
    assert "-r __node:=front -r __ns:=/robot" in text
    assert "-p front:markers:=['12=the cook''s door']" in text
    assert "-p ocr:=false -p front:ocr:=false -p min_interval:=0.5" in text
    assert "-r image:=/front/image_raw" in text
