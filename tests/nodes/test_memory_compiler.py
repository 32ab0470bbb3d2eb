"""The compiler node over real DDS, with a real space of random weights."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builtin_interfaces.msg import Time
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.parameter import Parameter
from ros_graph import DOMAIN, Graph
from rosgraph_msgs.msg import Clock
from std_msgs.msg import Header
from universal_memory_msgs.msg import ExperienceEvent, MemoryCompiled, MemoryStatus
from universal_memory_msgs.srv import CompileNow

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.memory.store import MemoryStore
from universal_memory.nodes.memory_compiler import MemoryCompiler
from universal_memory.nodes.supervisor import NodeProcess
from universal_memory.runtime import prediction
from universal_memory.runtime.surprise import SurpriseMeter

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def models(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UMP_MODELS", str(untrained))


@pytest.fixture
def start(graph: Graph, tmp_path: Path) -> Callable[..., MemoryCompiler]:
    def make(**parameters: object) -> MemoryCompiler:
        parameters = {"store": str(tmp_path / "store"), "period_seconds": 3600.0, **parameters}
        node: MemoryCompiler = graph.add(MemoryCompiler, **parameters)
        if parameters.get("autostart", True):
            graph.wait(lambda: node.active, "an active compiler", 60.0)
        return node

    return make


def said(second: float, text: str, stream: str = "audio") -> ExperienceEvent:
    stamp = Time(sec=int(second), nanosec=int(second % 1 * 1e9))
    return ExperienceEvent(
        header=Header(stamp=stamp), stream=stream, modality="audio", text=text, tokens=[1, 2, 3],
        source="day.mcap",
    )


def compile_now(graph: Graph, flush: bool = True) -> CompileNow.Response:
    return graph.call(CompileNow, "memory_compiler/compile_now", CompileNow.Request(flush=flush))


def test_events_become_files_with_provenance_and_are_announced(
    graph: Graph, start: Callable[..., MemoryCompiler], tmp_path: Path
) -> None:
    start()
    compiled = graph.collect(MemoryCompiled, "memory_compiled")
    statuses = graph.collect(MemoryStatus, "memory_compiler/status")
    experience = graph.publisher(ExperienceEvent, "experience")
    experience.publish(said(100.0, "Anna said: my tea should be weak."))
    experience.publish(said(101.0, "Anna said: my tea should be weak."))
    experience.publish(said(102.0, ""))
    experience.publish(said(500.0, "Ben said: the key is in the drawer.", "audio/hall"))
    graph.wait(lambda: statuses and statuses[-1].events_total == 4, "four events in the buffer")
    assert statuses[-1].buffer_events == 4 and statuses[-1].buffer_tokens == 12
    assert statuses[-1].buffer_seconds == 400.0

    response = compile_now(graph)
    assert response.success, response.message
    assert (len(response.ids), response.events, response.dropped) == (2, 4, 2)
    graph.wait(lambda: len(compiled) == 2, "two announcements")
    assert [message.id for message in compiled] == list(response.ids)
    assert compiled[0].space_id == "untrained/1" and compiled[0].events == 1
    assert compiled[1].streams == ["audio/hall"] and compiled[1].start.sec == 500
    with MemoryStore(tmp_path / "store", read_only=True) as store:
        assert store.ids() == sorted(response.ids)
        record = store.record(response.ids[0])
        assert record is not None and record.provenance.source == "day.mcap"
        assert record.provenance.text == "Anna said: my tea should be weak."
    graph.wait(lambda: statuses[-1].files == 2, "a status after compiling")
    status = statuses[-1]
    assert (status.buffer_events, status.buffer_seconds) == (0, 0.0)
    assert (status.compiled_total, status.dropped_total, status.errors_total) == (2, 2, 0)
    assert graph.value("memory_compiler", "events without surprise") == "0"
    assert graph.value("memory_compiler", "tokens/s audio")

    again = compile_now(graph)
    assert again.success and not again.ids and again.events == 0


def test_schedule_runs_on_the_node_clock_and_survives_a_clock_that_jumps_back(
    graph: Graph, start: Callable[..., MemoryCompiler], tmp_path: Path
) -> None:
    clock = graph.helper.create_publisher(Clock, "/clock", 10)
    node = start(period_seconds=30.0, use_sim_time=True)
    graph.wait(lambda: clock.get_subscription_count() > 0, "a listener of /clock")
    compiled = graph.collect(MemoryCompiled, "memory_compiled")
    experience = graph.publisher(ExperienceEvent, "experience")

    def advance(begin: int, end: int) -> None:
        for second in range(begin, end):
            clock.publish(Clock(clock=Time(sec=second)))
            graph.wait(lambda now=second: node.get_clock().now().nanoseconds == now * 10**9, "time")

    def settled(events: int) -> Callable[[], bool]:
        return lambda: graph.value("memory_compiler", "events kept") == str(events)

    advance(1000, 1002)
    experience.publish(said(1001.0, "Anna said: my tea should be weak."))
    graph.wait(settled(1), "the first event")
    advance(1002, 1065)
    graph.wait(lambda: len(compiled) == 1, "a scheduled compilation")
    assert compiled[0].header.stamp.sec >= 1021

    advance(10, 12)  # the bag loops
    experience.publish(said(11.0, "Ben said: the key is in the drawer."))
    graph.wait(settled(2), "the second event")
    advance(12, 75)
    graph.wait(lambda: len(compiled) == 2, "a compilation after the jump")
    assert compiled[1].start.sec == 11 and compiled[1].header.stamp.sec < 100
    assert int(graph.value("memory_compiler", "clock segments")) >= 2
    experience.publish(said(1001.0, "Anna said: my tea should be weak."))
    graph.wait(settled(3), "the repeated event")
    assert not compile_now(graph).ids, "an event that was compiled is not compiled again"


@pytest.fixture
def launch(graph: Graph, tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start a compiler as a process and wait until it is active; none is left behind."""
    node = NodeProcess(
        "memory_compiler",
        namespace=graph.namespace,
        parameters={"store": tmp_path / "store", "period_seconds": 3600.0},
    )
    processes: list[subprocess.Popen[bytes]] = []

    def start_process() -> subprocess.Popen[bytes]:
        graph.diagnostics.clear()
        environment = {**os.environ, "ROS_DOMAIN_ID": str(DOMAIN)}
        processes.append(subprocess.Popen(node.command(), env=environment))
        graph.wait(lambda: graph.value("memory_compiler", "state") == "active", "a compiler", 300.0)
        return processes[-1]

    yield start_process
    for process in processes:
        process.kill()
        process.wait(10.0)


def test_nothing_acknowledged_is_lost_or_doubled_by_kill_minus_nine(
    graph: Graph, launch: Callable[[], subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    process = launch()
    experience = graph.publisher(ExperienceEvent, "experience")
    for number in range(20):
        experience.publish(said(100.0 * number, f"Anna said: my number is {number}."))
    graph.wait(lambda: graph.value("memory_compiler", "events kept") == "20", "twenty events")
    process.send_signal(signal.SIGKILL)
    process.wait(10.0)
    with RollingBuffer(tmp_path / "store" / "buffer.sqlite", read_only=True) as buffer:
        assert len(buffer.pending()) == 20

    process = launch()
    response = compile_now(graph)
    assert response.success and len(set(response.ids)) == 20
    assert not compile_now(graph).ids
    process.send_signal(signal.SIGINT)
    assert process.wait(60.0) == 0


def test_second_compiler_on_a_store_fails_with_the_reason(
    graph: Graph, start: Callable[..., MemoryCompiler], tmp_path: Path
) -> None:
    start()
    other = Graph()
    try:
        node = other.add(MemoryCompiler, store=str(tmp_path / "store"))
        other.wait(lambda: "already used by a compiler" in node.health.error, "the reason", 60.0)
        other.wait(lambda: other.value("memory_compiler", "state") == "unconfigured", "an entry")
        status = other.status("memory_compiler")
        assert status is not None and status.level == b"\x02" and "remedy" in status.message
        response = compile_now(other)
        assert not response.success and "activate it first" in response.message
    finally:
        other.close()


def test_lifecycle_by_a_manager_and_missing_models(
    graph: Graph,
    start: Callable[..., MemoryCompiler],
    tmp_path: Path,
    untrained: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("UMP_MODELS", str(tmp_path / "nothing"))
    node = start(autostart=False)

    def change(transition: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(graph.call(ChangeState, "memory_compiler/change_state", request).success)

    def state() -> int:
        name = "memory_compiler/get_state"
        return int(graph.call(GetState, name, GetState.Request()).current_state.id)

    assert not change(Transition.TRANSITION_CONFIGURE)
    assert state() == State.PRIMARY_STATE_UNCONFIGURED
    assert "no trained weights" in node.health.error
    monkeypatch.setenv("UMP_MODELS", str(untrained))
    assert change(Transition.TRANSITION_CONFIGURE) and node.health.error == ""
    assert not compile_now(graph).success
    assert change(Transition.TRANSITION_ACTIVATE)
    experience = graph.publisher(ExperienceEvent, "experience")
    experience.publish(said(1.0, "Anna said: my tea should be weak."))
    graph.wait(lambda: graph.value("memory_compiler", "events kept") == "1", "the event")
    assert change(Transition.TRANSITION_DEACTIVATE) and change(Transition.TRANSITION_CLEANUP)
    with MemoryStore(tmp_path / "store").lock("compiler"):
        assert not change(Transition.TRANSITION_CONFIGURE), "the store is somebody else's now"
    assert change(Transition.TRANSITION_CONFIGURE) and change(Transition.TRANSITION_ACTIVATE)
    assert len(compile_now(graph).ids) == 1, "the event waited in the buffer"
    assert change(Transition.TRANSITION_ACTIVE_SHUTDOWN)
    assert state() == State.PRIMARY_STATE_FINALIZED


def test_a_language_model_is_loaded_only_where_not_all_is_remembered(
    graph: Graph, start: Callable[..., MemoryCompiler]
) -> None:
    node = start(surprise_budget=0.5, model="no-such-model", autostart=False)
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not graph.call(ChangeState, "memory_compiler/change_state", request).success
    assert "no language model 'no-such-model'" in node.health.error
    node.set_parameters([Parameter("surprise_budget", value=1.0)])
    assert graph.call(ChangeState, "memory_compiler/change_state", request).success


def test_events_without_surprise_are_counted(
    graph: Graph,
    start: Callable[..., MemoryCompiler],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class ByLength:
        def begin(self) -> None:
            pass

        def surprise(self, text: str) -> float:
            return len(text) / 100

        def expect(self, text: str) -> None:
            pass

    def load(_store: MemoryStore, *numbers: float) -> SurpriseMeter:
        assert numbers == (0.5, 0.0, 60.0, "smollm2-135m")
        return SurpriseMeter(ByLength(), 0.5)

    monkeypatch.setattr(prediction, "load_meter", load)
    start(surprise_budget=0.5)
    experience = graph.publisher(ExperienceEvent, "experience")
    experience.publish(said(100.0, "Exit."))
    experience.publish(said(200.0, "Ben said: the key is in the drawer."))
    graph.wait(lambda: graph.value("memory_compiler", "events kept") == "2", "two events")
    response = compile_now(graph)
    assert (len(response.ids), response.events, response.dropped) == (1, 2, 1)
    graph.wait(
        lambda: graph.value("memory_compiler", "events without surprise") == "1", "the count"
    )
    assert graph.value("memory_compiler", "events without news") == "0"
    with MemoryStore(tmp_path / "store", read_only=True) as store:
        assert [record.provenance.text for record in store.records()] == [
            "Ben said: the key is in the drawer."
        ]


def test_bad_events_are_refused_with_the_reason(
    graph: Graph, start: Callable[..., MemoryCompiler]
) -> None:
    start()
    experience = graph.publisher(ExperienceEvent, "experience")
    nameless, odd = said(1.0, "x", stream=""), said(1.0, "y")
    odd.modality = "smell"
    experience.publish(nameless)
    experience.publish(odd)
    graph.wait(lambda: graph.value("memory_compiler", "refused event") == "2", "two refusals")
    status = graph.status("memory_compiler")
    assert status is not None and status.level == b"\x01" and "smell" in status.message


def test_words_of_a_forgotten_memory_leave_the_buffer_too(
    graph: Graph, start: Callable[..., MemoryCompiler], tmp_path: Path
) -> None:
    start()
    experience = graph.publisher(ExperienceEvent, "experience")
    experience.publish(said(1.0, "Anna said: my secret is swordfish."))
    graph.wait(lambda: graph.value("memory_compiler", "events kept") == "1", "the event")
    memory_id = compile_now(graph).ids[0]
    with MemoryStore(tmp_path / "store") as store:
        store.forget(memory_id)
    assert compile_now(graph).success
    words = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*.sqlite*"))
    assert b"swordfish" not in words
