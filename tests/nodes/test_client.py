"""The client that `ump query` and the demo use, against a server of few words."""

from __future__ import annotations

from typing import Any

import pytest
from ros_graph import DOMAIN, Graph
from universal_memory_msgs.srv import CompileNow, QueryMemory

from universal_memory.memory.window import Window
from universal_memory.nodes import client as client_module
from universal_memory.nodes.client import NoAnswer, QueryClient

pytestmark = pytest.mark.slow


def test_ask_and_compile_reach_the_robot_of_that_namespace(graph: Graph) -> None:
    asked: list[Any] = []

    def answer(request: Any, response: Any) -> Any:
        asked.append(request)
        response.success = True
        return response

    graph.helper.create_service(QueryMemory, "query", answer)
    graph.helper.create_service(CompileNow, "memory_compiler/compile_now", answer)
    with QueryClient(graph.namespace, DOMAIN) as client:
        assert client.ask("who?", speaker="Anna", top_k=2, min_relevance=0.25).success
        assert client.ask("what?", unknown_answer="No idea.").success
        assert client.ask("and now?").success
        assert client.ask("and then?", window=Window(after=5 * 10**9)).success
        assert client.compile_now(flush=False).success
    question, told, defaults, windowed, compilation = asked
    assert (question.question, question.speaker, question.top_k) == ("who?", "Anna", 2)
    assert question.min_relevance == 0.25
    assert (told.unknown_answer, defaults.unknown_answer) == ("No idea.", "")
    assert (windowed.after.sec, defaults.after.sec, windowed.near_radius) == (5, 0, 0.0)
    assert (defaults.top_k, defaults.max_tokens, defaults.min_relevance) == (0, 0, -1.0)
    assert compilation.flush is False


def test_silence_has_a_remedy(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "DISCOVERY_SECONDS", 0.5)
    with (
        QueryClient(graph.namespace, DOMAIN) as client,
        pytest.raises(NoAnswer, match="ump up"),
    ):
        client.ask("anybody?")
