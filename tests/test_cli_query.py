"""`ump query` as a user meets it: over the service, offline, and with nobody there."""

from __future__ import annotations

import json
import math
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from command_line import Ump, runner

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event
from universal_memory.memory.store import MemoryStore
from universal_memory.memory.window import Place, Window
from universal_memory.runtime.answer import Answer, Hit
from universal_memory.runtime.answerer import Answerer

ID = "ab" * 32


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UMP_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def ump(root: Path, capsys: pytest.CaptureFixture[str]) -> Ump:
    return runner(capsys, joined=True)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What reached the answerer, which is not the real one: model, question and options."""
    calls: ClassVar[list[Any]] = []

    def load(store: MemoryStore, model: str) -> Any:
        assert store.read_only
        calls.append(model)

        def answer(question: str, speaker: str, **options: Any) -> Answer:
            calls.append((question, speaker, options))
            hit = Hit(ID, 0.97, 1.0, 1_700_000_000_000_000_000, 0.5, 0.25)
            return Answer("weak\x1b[31m", "COMPILED", (hit,), 9.0, 0.5, 3.0, 200.0, 17)

        return SimpleNamespace(answer=answer)

    monkeypatch.setattr(Answerer, "load", staticmethod(load))
    return calls


class Robot:
    """Stands in for the client of the running nodes."""

    calls: ClassVar[list[Any]] = []
    response: Any = None

    def __init__(self, namespace: str) -> None:
        self.calls.append(namespace)

    def __enter__(self) -> Robot:
        return self

    def __exit__(self, *_: object) -> None: ...

    def ask(self, question: str, speaker: str, **options: Any) -> Any:
        self.calls.append((question, speaker, options))
        return self.response


@pytest.fixture
def robot(monkeypatch: pytest.MonkeyPatch) -> type[Robot]:
    monkeypatch.setattr("universal_memory.nodes.client.QueryClient", Robot)
    monkeypatch.setattr(Robot, "calls", [])
    monkeypatch.setattr(Robot, "response", response())
    return Robot


def response() -> Any:
    from universal_memory_msgs.msg import MemoryHit
    from universal_memory_msgs.srv import QueryMemory

    hit = MemoryHit(id=ID, relevance=0.75, gate=0.5, cosine=0.125, conflict=0.25)
    hit.compiled_stamp.sec, hit.compiled_stamp.nanosec = 1_700_000_000, 5
    hit.start_stamp.sec, hit.end_stamp.sec = 1_600_000_000, 1_600_000_001
    return QueryMemory.Response(
        success=True, answer="weak", source="COMPILED", memories=[hit], route_ms=9.0,
        load_ms=0.5, render_ms=3.0, generate_ms=200.0, prompt_tokens=17,
    )  # fmt: skip


def test_the_robot_gets_the_question_and_only_the_options_given(
    ump: Ump, robot: type[Robot]
) -> None:
    result = ump("query", "How weak?", "--speaker", "Anna", "--top-k", 5, "--namespace", "robot")
    assert result.code == 0, result.err
    assert robot.calls == ["robot", ("How weak?", "Anna", {"timeout": 60.0, "top_k": 5})]
    lines = result.out.splitlines()
    assert lines[0] == "weak"
    assert "source COMPILED, 17 prompt tokens" in lines
    assert "milliseconds: route 9.0, load 0.5, render 3.0, generate 200.0" in lines
    assert "abababababab  0.75       0.50  0.12    0.25      2023-11-14 22:13:20" in result.out
    assert "2023-11-14 22:13:20  2020-09-13 12:26:40" in result.out


def test_json_holds_everything(ump: Ump, robot: type[Robot]) -> None:
    result = json.loads(ump("query", "How weak?", "--json").out)
    assert result == {
        "answer": "weak",
        "source": "COMPILED",
        "memories": [
            {
                "id": ID, "relevance": 0.75, "gate": 0.5, "cosine": 0.125, "conflict": 0.25,
                "compiled_stamp": 1_700_000_000_000_000_005,
                "start_stamp": 1_600_000_000 * 10**9, "end_stamp": 1_600_000_001 * 10**9,
            }
        ],
        "milliseconds": {"route": 9.0, "load": 0.5, "render": 3.0, "generate": 200.0},
        "prompt_tokens": 17,
    }


def test_a_refusal_is_an_error_with_the_servers_words(ump: Ump, robot: type[Robot]) -> None:
    robot.response.success = False
    robot.response.message = "busy: 5 requests are waiting"
    result = ump("query", "How weak?")
    assert result.code == 1 and "busy: 5 requests are waiting" in result.err


def test_offline_asks_the_store_read_only_with_its_fresh_window(
    ump: Ump, root: Path, asked: list[Any]
) -> None:
    event = Event(10**9, "audio", "audio", (1,), "Anna said: hello.")
    with MemoryStore(root):
        pass
    with RollingBuffer(root / "buffer.sqlite") as buffer:
        buffer.append(event)
    result = ump("query", "How weak?", "--offline", "--max-tokens", 8)
    assert result.code == 0, result.err
    assert asked == ["smollm2-135m", ("How weak?", "", {"fresh": [event], "max_tokens": 8})]
    assert result.out.splitlines()[0] == "weak\\x1b[31m", "an answer must not drive a terminal"


def test_offline_json_has_the_same_fields_as_the_robots(
    ump: Ump, root: Path, robot: type[Robot], asked: list[Any]
) -> None:
    with MemoryStore(root):
        pass
    over, offline = (
        json.loads(ump("query", "How weak?", "--json", *more).out) for more in ((), ("--offline",))
    )
    assert over.keys() == offline.keys()
    assert over["memories"][0].keys() == offline["memories"][0].keys()
    assert offline["memories"][0]["conflict"] == 0.25


def test_what_to_say_of_the_unknown_reaches_robot_and_store(
    ump: Ump, root: Path, robot: type[Robot], asked: list[Any]
) -> None:
    with MemoryStore(root):
        pass
    assert ump("query", "Q?", "--unknown-answer", "No idea.").code == 0
    assert robot.calls[1] == ("Q?", "", {"timeout": 60.0, "unknown_answer": "No idea."})
    assert ump("query", "Q?", "--unknown-answer", "No idea.", "--offline").code == 0
    assert asked[1] == ("Q?", "", {"fresh": [], "unknown_answer": "No idea."})


LAST_MORNING = Window(
    after=1_764_489_600 * 10**9,
    before=1_764_493_200 * 10**9,
    near=Place("odom", (-1.5, 2.0, 0.25), 3.0),
)


def test_a_window_reaches_robot_and_store(
    ump: Ump, root: Path, robot: type[Robot], asked: list[Any]
) -> None:
    with MemoryStore(root):
        pass
    given = (
        "--after", "2025-11-30T08:00", "--before", "2025-11-30T10:00+01:00",
        "--near", "-1.5,2,0.25", "--radius", 3, "--frame", "odom",
    )  # fmt: skip
    assert ump("query", "Q?", *given).code == 0
    assert robot.calls[1] == ("Q?", "", {"timeout": 60.0, "window": LAST_MORNING})
    assert ump("query", "Q?", *given, "--offline").code == 0
    assert asked[1] == ("Q?", "", {"fresh": [], "window": LAST_MORNING})


def test_a_window_is_written_in_several_ways(
    ump: Ump, robot: type[Robot], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    for text, seconds in (
        ("-2h", 992_800.0), ("-1.5d", 870_400.0), ("-90s", 999_910.0), ("-5m", 999_700.0),
        ("1000.5", 1000.5), ("1970-01-02", 86_400.0), ("1970-01-01T00:00:10Z", 10.0),
    ):  # fmt: skip
        assert ump("query", "Q?", "--after", text).code == 0
        assert robot.calls[-1][2]["window"] == Window(after=round(seconds * 10**9)), text
    assert ump("query", "Q?", "--near", "1,2").code == 0
    near = robot.calls[-1][2]["window"].near
    assert near.frame_id == "map" and near.radius == 2.0
    assert near.position[:2] == (1.0, 2.0) and math.isnan(near.position[2])


def test_offline_takes_another_store_and_model(
    ump: Ump, tmp_path: Path, asked: list[Any]
) -> None:
    with MemoryStore(tmp_path / "other"):
        pass
    code = ump("query", "Q?", "--offline", "--store", tmp_path / "other", "--model", "gpt").code
    assert code == 0
    assert asked == ["gpt", ("Q?", "", {"fresh": []})]


def test_offline_without_a_store_says_so(ump: Ump, root: Path, asked: list[Any]) -> None:
    result = ump("query", "Q?", "--offline")
    assert result.code == 1 and f"no memory store at {root}" in result.err
    assert not root.exists()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((" ",), "the question is empty"),
        (("x" * 10_000,), "10000 characters"),
        (("Q?", "--top-k", 17), "equal to 16"),
        (("Q?", "--min-relevance", 1.5), "equal to 1"),
        (("Q?", "--model", "gpt"), "--offline"),
        (("Q?", "--after", "tomorrow"), "'tomorrow' is no time"),
        (("Q?", "--after", "nan"), "no ROS clock shows"),
        (("Q?", "--before", "2040-01-01"), "1970 to 2038"),
        (("Q?", "--after", "100", "--before", "99"), "exchange them"),
        (("Q?", "--near", "1"), "X,Y or X,Y,Z"),
        (("Q?", "--near", "1,2,3,4"), "X,Y or X,Y,Z"),
        (("Q?", "--near", "nan,2"), "the place is (nan, 2.0, nan)"),
        (("Q?", "--near", "1,2", "--radius", "-1"), "radius of the place is -1.0"),
        (("Q?", "--near", "1,2", "--radius", "nan"), "radius of the place is nan"),
        (("Q?", "--near", "1,2", "--frame", ""), "has no frame"),
        (("Q?", "--radius", "1"), "add --near"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_loaded(
    ump: Ump, arguments: tuple[object, ...], reason: str
) -> None:
    result = ump("query", *arguments)
    assert result.code == 2 and reason in result.err


def test_without_ros_the_way_out_is_named(ump: Ump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "universal_memory.nodes.client", None)
    result = ump("query", "Q?")
    assert result.code == 1
    assert "ROS 2 is not in this environment" in result.err and "--offline" in result.err


def test_nobody_there_names_up_and_offline(ump: Ump, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("universal_memory.nodes.client.DISCOVERY_SECONDS", 0.2)
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "OFF")
    result = ump("query", "Q?", "--namespace", "nobody")
    assert result.code == 1
    assert "nothing offers service query" in result.err
    assert "ump up" in result.err and "--offline" in result.err


@pytest.mark.slow
def test_a_real_service_answers(ump: Ump, monkeypatch: pytest.MonkeyPatch) -> None:
    import rclpy
    from rclpy.executors import SingleThreadedExecutor
    from rclpy.task import Future
    from universal_memory_msgs.srv import QueryMemory

    domain = 10 + os.getpid() % 90
    monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    requests: list[QueryMemory.Request] = []

    def reply(request: QueryMemory.Request, _: Any) -> Any:
        requests.append(request)
        return response()

    context = rclpy.Context()
    rclpy.init(args=[], context=context, domain_id=domain)
    node = rclpy.create_node("memory_server", context=context, namespace="robot")
    node.create_service(QueryMemory, "query", reply)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    stop: Future[None] = Future()
    spinner = threading.Thread(
        target=executor.spin_until_future_complete, args=(stop,), daemon=True
    )
    spinner.start()
    try:
        result = ump("query", "How weak?", "--namespace", "robot", "--min-relevance", 0.25)
    finally:
        stop.set_result(None)
        spinner.join(5.0)
        rclpy.try_shutdown(context=context)
    assert result.code == 0, result.err
    assert result.out.startswith("weak\n")
    assert (requests[0].question, requests[0].top_k) == ("How weak?", 0)
    assert requests[0].min_relevance == 0.25
