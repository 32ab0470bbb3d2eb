"""The launch files, run by ROS launch where that is installed (it has no wheel)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from universal_memory.node_table import NODE_TABLE

LAUNCH = Path(__file__).resolve().parents[1] / "launch"
FILES = sorted(LAUNCH.glob("*.launch.py"))


def load(path: Path):
    pytest.importorskip("launch_ros", reason="ROS launch is not installed")
    spec = importlib.util.spec_from_file_location(path.name.partition(".")[0], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_argument_is_described(path):
    arguments = load(path).generate_launch_description().get_launch_arguments()
    assert arguments
    assert all(argument.description for argument in arguments)


def test_robot_starts_the_node_table():
    robot = load(LAUNCH / "robot.launch.py")
    from launch_ros.actions import LifecycleNode, Node

    description = robot.generate_launch_description()
    nodes = [action for action in description.entities if isinstance(action, Node)]
    started = {node.node_executable: isinstance(node, LifecycleNode) for node in nodes}
    assert started == {entry.executable: entry.lifecycle for entry in NODE_TABLE}


@pytest.mark.parametrize("model", ["", "gemma3-270m"])
def test_the_model_is_an_argument_that_wins_over_the_file_if_given(model):
    robot = load(LAUNCH / "robot.launch.py")
    from launch import LaunchContext
    from launch_ros.actions import Node
    from launch_ros.utilities import evaluate_parameters

    context = LaunchContext()
    context.launch_configurations.update({"model": model, "use_sim_time": "false"})
    entities = robot.generate_launch_description().entities
    servers = [
        action
        for action in entities
        if isinstance(action, Node)
        and action.node_executable == "memory_server"
        and (action.condition is None or action.condition.evaluate(context))
    ]
    assert len(servers) == 1
    parameters = evaluate_parameters(context, servers[0]._Node__parameters[1:])
    assert parameters[0].get("model", "") == model


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_launch_file_is_python(path):
    compile(path.read_text(encoding="utf-8"), path.name, "exec")
