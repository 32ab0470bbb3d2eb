"""`ump up`: the robot's memory, all nodes of the table, until Ctrl-C."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from universal_memory.commands.console import StoreOption, echo_table, printable, root_of
from universal_memory.commands.replay import remaps
from universal_memory.commands.robot import ros_at_hand
from universal_memory.node_table import NODE_TABLE, parameters_file

if TYPE_CHECKING:
    from universal_memory.nodes.supervisor import NodeProcess, Supervisor

app = typer.Typer(add_completion=False)

READY_SECONDS = 240.0  # the first start converts the language model
POLL_SECONDS = 0.2
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
TROUBLE = re.compile(r"^\[(WARN|ERROR|FATAL)\]")
NODES_WITH_STORE = ("memory_compiler", "memory_server")


class NodesEnded(RuntimeError):
    """Nodes ended by themselves; the message says which, and where their logs are."""


class LogsError(RuntimeError):
    """Logs cannot be written; the message has the remedy."""


@app.command()
def up(
    store: StoreOption = None,
    model: Annotated[
        str | None, typer.Option(help="On-robot language model: a packaged name or a folder.")
    ] = None,
    params: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Parameters (YAML); else config/robot.yaml."
        ),
    ] = None,
    sim_time: Annotated[
        bool, typer.Option("--sim-time", help="Take the time from /clock: simulation, replay.")
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="Start only this node; may be repeated.")
    ] = None,
    remap: Annotated[
        list[str] | None, typer.Option(help="NAME:=TOPIC of your robot; may be repeated.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of all nodes.")] = "",
    logs: Annotated[
        Path | None, typer.Option(help="Folder of the logs, one file a node; else STORE/logs.")
    ] = None,
) -> None:
    """Start all nodes for daily use; Ctrl-C stops them.

    For example: ump up --remap image:=/camera/color/image_raw --remap audio:=/microphone
    """
    chosen = chosen_nodes(only or [])
    renamed = remaps(remap or [])
    root = root_of(store).resolve()
    folder = logs if logs is not None else root / "logs"
    with ros_at_hand("leave the nodes and ask a store itself: `ump query --offline`"):
        from universal_memory.nodes.supervisor import Supervisor, from_table

    parameters: dict[str, dict[str, object]] = {
        name: {"store": str(root)} for name in NODES_WITH_STORE if store is not None
    }
    if model is not None:
        parameters.setdefault("memory_server", {})["model"] = model
    nodes = [
        node if sim_time else _clock_of_file(node)
        for node in from_table(
            [params if params is not None else parameters_file()],
            parameters,
            renamed,
            namespace,
            use_sim_time=sim_time,
        )
        if node.executable in chosen
    ]
    with NodeLogs(folder, [node.node_name for node in nodes]) as log, _told_to_stop() as told:
        _overview(nodes, folder)
        supervisor = Supervisor(nodes, log.write)
        try:
            supervisor.start()
            failed = _watch(supervisor, told, folder)
        finally:
            codes = supervisor.stop()
        typer.echo("Stopped.")
    bad = {name: code for name, code in codes.items() if code} | failed
    if bad:
        names = ", ".join(f"{name} with exit code {code}" for name, code in bad.items())
        raise NodesEnded(f"ended by themselves or not cleanly: {names}; see {folder}")


def chosen_nodes(only: list[str]) -> set[str]:
    """Names of the nodes to start: all of the table if `only` is empty. Raises BadParameter."""
    names = [entry.executable for entry in NODE_TABLE]
    for name in only:
        if name not in names:
            raise typer.BadParameter(f"{name!r} is none of {', '.join(names)}")
    return set(only or names)


class NodeLogs:
    """One file a node in `folder`, the last run's kept as NAME.log.1; trouble is shown as well."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        """Open the files. Raises LogsError if `folder` cannot be written."""
        self._files: dict[str, TextIO] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for name in names:
                path = folder / f"{name}.log"
                if path.is_file():
                    path.replace(folder / f"{name}.log.1")
                self._files[name] = path.open("w", encoding="utf-8", buffering=1)
        except OSError as error:
            self.close()
            raise LogsError(
                f"cannot write logs to {folder}: {error.strerror}; remedy: name another folder "
                "with --logs"
            ) from error

    def write(self, name: str, text: str) -> None:
        """Take a line of a node; called from several threads, one a node."""
        if TROUBLE.match(text):
            typer.echo(f"{name}: {printable(text)}", err=True)
        file = self._files[name]
        if not file.closed:
            file.write(f"{text}\n")

    def close(self) -> None:
        """Close the files; later lines are lost."""
        for file in self._files.values():
            file.close()

    def __enter__(self) -> NodeLogs:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _watch(supervisor: Supervisor, told: threading.Event, folder: Path) -> dict[str, int]:
    """Wait for a signal or for the last node; the exit codes of nodes that ended by themselves."""
    failed: dict[str, int] = {}
    with ThreadPoolExecutor(1, thread_name_prefix="ready") as pool:
        ready = pool.submit(supervisor.wait_ready, READY_SECONDS)
        announced = False
        try:
            while not told.wait(POLL_SECONDS) and len(failed) < len(supervisor.nodes):
                if not ready.done():
                    continue
                ready.result()  # raises why a node will never be ready
                if not announced:
                    typer.echo('Ready. Ask with `ump query "..."`, stop with Ctrl-C.')
                    announced = True
                for name, code in supervisor.ended().items():
                    if name not in failed:
                        failed[name] = code
                        typer.echo(f"{name} ended with exit code {code}: see {folder}", err=True)
        finally:
            supervisor.stop()  # the waiting thread ends with the nodes
    return failed


@contextmanager
def _told_to_stop() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM set, however often, so that nothing is cut off half way."""
    told = threading.Event()
    before = {number: signal.signal(number, lambda *_: told.set()) for number in STOP_SIGNALS}
    try:
        yield told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _clock_of_file(node: NodeProcess) -> NodeProcess:
    """The same node without a word about its clock: the parameter file's counts."""
    parameters = {key: value for key, value in node.parameters.items() if key != "use_sim_time"}
    return replace(node, parameters=parameters)


def _overview(nodes: list[NodeProcess], folder: Path) -> None:
    inputs = {entry.executable: entry.inputs for entry in NODE_TABLE}
    echo_table(
        ("node", "listens to", "log"),
        [
            (
                node.full_name,
                ", ".join(node.remaps.get(name, name) for name, _ in inputs[node.executable])
                or "-",
                f"{node.node_name}.log",
            )
            for node in nodes
        ],
    )
    domain = os.environ.get("ROS_DOMAIN_ID") or "0"
    typer.echo(f"Logs: {folder}")
    typer.echo(f"Starting {len(nodes)} nodes in ROS domain {domain} ...")
