"""`ump up`: what is started, where logs go, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest

from universal_memory import cli
from universal_memory.commands import up as command


class Result(NamedTuple):
    code: int
    out: str
    err: str


Ump = Callable[..., Result]


class Nodes:
    """Stands in for the supervisor: every node says one line and is told to stop at once."""

    started: ClassVar[list[Any]] = []
    ends: ClassVar[dict[str, int]] = {}
    not_ready: ClassVar[str] = ""

    def __init__(self, nodes: Any, line: Callable[[str, str], None]) -> None:
        self.nodes = tuple(nodes)
        self._line = line
        self._stopped = threading.Event()

    def start(self) -> None:
        self.started[:] = self.nodes
        for node in self.nodes:
            self._line(node.node_name, "[INFO] started")
            self._line(node.node_name, "[WARN] no \x1b[31m stamp")

    def wait_ready(self, timeout: float) -> None:
        if self.not_ready:
            from universal_memory.nodes.supervisor import NotReady

            raise NotReady(self.not_ready)
        if not self.ends:
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()

    def ended(self) -> dict[str, int]:
        return dict(self.ends)

    def stop(self) -> dict[str, int]:
        return {node.full_name: 0 for node in self.nodes} | self.ends


@pytest.fixture
def ump(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ump:
    monkeypatch.setenv("UMP_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("universal_memory.nodes.supervisor.Supervisor", Nodes)
    monkeypatch.setattr(Nodes, "ends", {})
    monkeypatch.setattr(Nodes, "not_ready", "")

    def run(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as stopped:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Result(int(stopped.value.code or 0), out, err)

    return run


def by_name() -> dict[str, Any]:
    return {node.executable: node for node in Nodes.started}


def test_all_nodes_start_and_ctrl_c_ends_with_zero(ump: Ump, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    result = ump("up")
    assert result.code == 0, result.err
    assert list(by_name()) == [
        "camera_ingest", "audio_ingest", "tool_ingest", "memory_compiler", "memory_server"
    ]
    logs = tmp_path / "home" / "logs"
    assert f"Logs: {logs}" in result.out and "Ready." in result.out and "Stopped." in result.out
    assert (logs / "tool_ingest.log").read_text().startswith("[INFO] started\n")
    # Trouble is seen in the terminal too, but drives it nowhere.
    assert "tool_ingest: [WARN] no \\x1b[31m stamp" in result.err and "[INFO]" not in result.err
    assert signal.getsignal(signal.SIGINT) is before


def test_options_reach_the_nodes(ump: Ump, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("/**:\n  ros__parameters:\n    use_sim_time: true\n")
    ump(
        "up", "--store", tmp_path / "store", "--model", "gpt", "--params", file,
        "--remap", "image:=/front", "--namespace", "robot", "--logs", tmp_path / "logs",
    )  # fmt: skip
    nodes = by_name()
    store = str(tmp_path / "store")
    assert nodes["memory_server"].parameters == {"store": store, "model": "gpt"}
    assert nodes["memory_compiler"].parameters == {"store": store}
    # Without --sim-time the file's own word about the clock counts.
    assert nodes["tool_ingest"].parameters == {}
    assert nodes["camera_ingest"].parameter_files == (file,)
    assert nodes["camera_ingest"].remaps == {"image": "/front"}
    assert nodes["camera_ingest"].full_name == "/robot/camera_ingest"
    assert (tmp_path / "logs" / "memory_server.log").is_file()


def test_sim_time_and_only(ump: Ump) -> None:
    result = ump("up", "--sim-time", "--only", "tool_ingest", "--only", "memory_compiler")
    assert {name: node.parameters for name, node in by_name().items()} == {
        "tool_ingest": {"use_sim_time": True}, "memory_compiler": {"use_sim_time": True}
    }
    assert "Starting 2 nodes" in result.out


def test_the_log_of_the_last_run_is_kept(ump: Ump, tmp_path: Path) -> None:
    logs = tmp_path / "home" / "logs"
    logs.mkdir(parents=True)
    (logs / "tool_ingest.log").write_text("before")
    ump("up", "--only", "tool_ingest")
    assert (logs / "tool_ingest.log.1").read_text() == "before"


def test_a_node_that_will_never_be_ready_ends_all_with_its_reason(ump: Ump) -> None:
    Nodes.not_ready = "/memory_server: cannot configure: no trained weights"
    result = ump("up")
    assert result.code == 1 and "cannot configure: no trained weights" in result.err
    assert "Ready." not in result.out


def test_a_node_that_ends_by_itself_is_named(ump: Ump) -> None:
    Nodes.ends = {"/tool_ingest": 1}
    result = ump("up", "--only", "tool_ingest")
    assert result.code == 1
    assert "/tool_ingest ended with exit code 1" in result.err


@pytest.mark.parametrize(
    "arguments",
    [("--only", "teleporter"), ("--remap", "image"), ("--params", "/no/such/file.yaml")],
)
def test_wrong_usage_starts_nothing(ump: Ump, arguments: tuple[str, ...], tmp_path: Path) -> None:
    Nodes.started.clear()
    assert ump("up", *arguments).code == 2
    assert not Nodes.started and not (tmp_path / "home").exists()


def test_logs_that_cannot_be_written_are_told(ump: Ump, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = ump("up", "--logs", tmp_path / "file" / "logs")
    assert result.code == 1 and "cannot write logs" in result.err and "--logs" in result.err


def test_chosen_nodes_are_those_of_the_table() -> None:
    assert command.chosen_nodes(["tool_ingest"]) == {"tool_ingest"}
    assert len(command.chosen_nodes([])) == 5


@pytest.mark.slow
def test_a_real_node_runs_until_ctrl_c_even_twice(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "UMP_HOME": str(tmp_path),
        "ROS_DOMAIN_ID": str(10 + os.getpid() % 90),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "PYTHONUNBUFFERED": "1",
    }
    arguments = [sys.executable, "-m", "universal_memory.cli", "up", "--only", "tool_ingest"]
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        assert any("Ready." in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60.0)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert "Stopped." in output and "Traceback" not in output
    assert "started" in (tmp_path / "logs" / "tool_ingest.log").read_text()
