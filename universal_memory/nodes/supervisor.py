"""
Starts the node table as separate processes and stops it cleanly, where ROS launch is not at hand.

Every process gets a session of its own, so that Ctrl-C in the terminal reaches the supervisor
only, which then stops its nodes in order. A node is ready when its first entry is in
`/diagnostics`, a lifecycle node when that entry says "active"; an entry of level ERROR says why it
never will be. Nothing is restarted: a robot with a dead node should say so.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from universal_memory.node_table import NODE_TABLE

READY_SECONDS = 60.0
# Time after each signal before the next, harder one.
STOP_LADDER = ((signal.SIGINT, 10.0), (signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0))


class NotReady(RuntimeError):
    """A node ended, failed or was silent while the supervisor waited for it."""


@dataclass(frozen=True)
class NodeProcess:
    """One process to start: `executable` is the name of a module in `universal_memory.nodes`."""

    executable: str
    name: str = ""
    namespace: str = ""
    lifecycle: bool = False
    parameter_files: tuple[Path, ...] = ()
    parameters: Mapping[str, object] = field(default_factory=dict)
    remaps: Mapping[str, str] = field(default_factory=dict)

    @property
    def node_name(self) -> str:
        """Name of the node, the executable's if none is given."""
        return self.name or self.executable

    @property
    def full_name(self) -> str:
        """Fully qualified name of the node."""
        return f"/{self.namespace.strip('/')}/{self.node_name}".replace("//", "/")

    def command(self) -> list[str]:
        """
        Return the command line.

        Parameters are given twice: by name alone, which wins over files whose `/**` section is
        last, and by node, which wins over the others but is lost in a namespace.
        """
        arguments = ["-r", f"__node:={self.node_name}"]
        if self.namespace:
            arguments += ["-r", f"__ns:=/{self.namespace.strip('/')}"]
        for path in self.parameter_files:
            arguments += ["--params-file", str(path)]
        for key, value in self.parameters.items():
            text = yaml_value(value)
            arguments += ["-p", f"{key}:={text}", "-p", f"{self.node_name}:{key}:={text}"]
        for old, new in self.remaps.items():
            arguments += ["-r", f"{old}:={new}"]
        module = f"universal_memory.nodes.{self.executable}"
        return [sys.executable, "-m", module, "--ros-args", *arguments]


def from_table(
    parameter_files: Iterable[Path] = (),
    parameters: Mapping[str, Mapping[str, object]] | None = None,
    remaps: Mapping[str, str] | None = None,
    namespace: str = "",
    use_sim_time: bool = False,
) -> list[NodeProcess]:
    """
    Return a process for every node of `NODE_TABLE`.

    `parameters` are by node, and win over the files; `remaps` are for all nodes.
    """
    parameters = parameters or {}
    return [
        NodeProcess(
            entry.executable,
            namespace=namespace,
            lifecycle=entry.lifecycle,
            parameter_files=tuple(parameter_files),
            parameters={"use_sim_time": use_sim_time, **parameters.get(entry.executable, {})},
            remaps=remaps or {},
        )
        for entry in NODE_TABLE
    ]


def yaml_value(value: object) -> str:
    """Return `value` as rcl reads it on a command line: YAML, strings quoted."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(yaml_value(item) for item in value) + "]"
    if isinstance(value, (str, Path)):
        return "'" + str(value).replace("'", "''") + "'"
    return str(value)


class Supervisor:
    """Owns the processes of `nodes` from `start` to `stop`; usable in a `with` statement."""

    def __init__(
        self,
        nodes: Iterable[NodeProcess],
        line: Callable[[str, str], None],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`line(node name, text)` gets every line a node writes, from several threads."""
        self.nodes = tuple(nodes)
        self._line = line
        # The same package as ours, also where it is not installed.
        here = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))
        forced = {"PYTHONUNBUFFERED": "1", "PYTHONPATH": path}
        self._environment = {**os.environ, **(environment or {}), **forced}
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._readers: list[threading.Thread] = []

    def start(self) -> None:
        """Start every process. Returns at once; see `wait_ready`."""
        for node in self.nodes:
            # SIGINT stays blocked in the child until its handler is there (see `spin`), so stopping
            # it while it still imports gives no traceback; SIGTERM ends it silently even then.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                process = subprocess.Popen(
                    node.command(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    env=self._environment,
                    start_new_session=True,
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
            self._processes[node.full_name] = process
            reader = threading.Thread(target=self._read, args=(node, process), daemon=True)
            reader.start()
            self._readers.append(reader)

    def wait_ready(self, timeout: float = READY_SECONDS) -> None:
        """Return when every node is ready. Raises `NotReady` with the node's own reason."""
        watcher = _Watcher(self._environment)
        deadline = time.monotonic() + timeout
        try:
            while True:
                waiting = [node for node in self.nodes if not watcher.ready(node)]
                if not waiting:
                    return
                for node in self.nodes:
                    code = self._processes[node.full_name].poll()
                    if code is not None:
                        raise NotReady(f"{node.full_name} ended with exit code {code}: see its log")
                    if node.full_name in watcher.errors:
                        raise NotReady(f"{node.full_name}: {watcher.errors[node.full_name]}")
                if time.monotonic() > deadline:
                    names = ", ".join(node.full_name for node in waiting)
                    raise NotReady(f"not ready after {timeout:.0f} s: {names}: see their logs")
                watcher.listen(0.2)
        finally:
            watcher.close()

    def ended(self) -> dict[str, int]:
        """Return the exit codes of processes that are no longer there."""
        codes = {name: process.poll() for name, process in self._processes.items()}
        return {name: code for name, code in codes.items() if code is not None}

    def stop(self) -> dict[str, int]:
        """Stop every process, politely first, and return the exit codes."""
        for number, seconds in STOP_LADDER:
            running = [p for p in self._processes.values() if p.poll() is None]
            for process in running:
                process.send_signal(number)
            deadline = time.monotonic() + seconds
            for process in running:
                try:
                    process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    continue
        for reader in self._readers:
            reader.join(1.0)
        return self.ended()

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _read(self, node: NodeProcess, process: subprocess.Popen[str]) -> None:
        if process.stdout is not None:
            for text in process.stdout:
                self._line(node.node_name, text.rstrip("\n"))


class _Watcher:
    """Listens to `/diagnostics`: the last state and error of every node of ours."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.errors: dict[str, str] = {}
        self._states: dict[str, str] = {}
        self._context = rclpy.Context()
        domain = environment.get("ROS_DOMAIN_ID")
        rclpy.init(
            args=[],
            context=self._context,
            domain_id=int(domain) if domain else None,
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = rclpy.create_node(
            "memory_supervisor", context=self._context, use_global_arguments=False
        )
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, 100)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)

    def ready(self, node: NodeProcess) -> bool:
        """Whether the node has shown that it works."""
        state = self._states.get(node.full_name)
        return state == "active" if node.lifecycle else state is not None

    def listen(self, seconds: float) -> None:
        """Take in at most one message, or wait `seconds`."""
        self._executor.spin_once(timeout_sec=seconds)

    def close(self) -> None:
        """Leave the graph."""
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.try_shutdown(context=self._context)

    def _hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            name = status.name.split(":")[0]
            values = {entry.key: entry.value for entry in status.values}
            self._states[name] = values.get("state", "")
            if status.level == DiagnosticStatus.ERROR:
                self.errors[name] = status.message
            else:
                self.errors.pop(name, None)
