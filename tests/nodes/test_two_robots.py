"""Two robots in two ROS domains with two language models: one lives, both answer.

Real nodes, real weights.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from builtin_interfaces.msg import Time
from facts import FACTS
from ros_graph import OTHER_DOMAIN, Graph
from std_msgs.msg import Header
from universal_memory_msgs.msg import ExperienceEvent, MemoryStatus
from universal_memory_msgs.srv import CompileNow, ExportMemory, ImportMemory, QueryMemory

from universal_memory.commands.two_robots import SECOND_MODEL
from universal_memory.memory.signing import Signer
from universal_memory.memory.store import MemoryStore
from universal_memory.memory.trust import TrustStore
from universal_memory.nodes.memory_compiler import MemoryCompiler
from universal_memory.nodes.memory_server import MemoryServer
from universal_memory.runtime.questionnaire import contains

pytestmark = pytest.mark.slow

READY_SECONDS = 300.0  # the first start of a model converts it


@pytest.fixture
def other_graph() -> Iterator[Graph]:
    made = Graph(OTHER_DOMAIN)
    yield made
    made.close()


def ask(graph: Graph, question: str) -> QueryMemory.Response:
    response = graph.call(QueryMemory, "query", QueryMemory.Request(question=question))
    assert response.success, response.message
    return response


def right(graph: Graph) -> int:
    """How many of the facts are answered rightly, from memory files."""
    count = 0
    for question, (_, wanted) in FACTS.items():
        response = ask(graph, question)
        count += response.source == "COMPILED" and contains(response.answer, [wanted])
    return count


def live(graph: Graph) -> list[str]:
    """Robot A experiences all facts and compiles them; the ids."""
    statuses = graph.collect(MemoryStatus, "memory_compiler/status")
    experience = graph.publisher(ExperienceEvent, "experience")
    for number, (text, _) in enumerate(FACTS.values(), start=1):
        header = Header(stamp=Time(sec=100 * number))
        experience.publish(
            ExperienceEvent(header=header, stream="audio", modality="audio", text=text, tokens=[1])
        )
    graph.wait(lambda: statuses and statuses[-1].events_total == len(FACTS), "all events")
    compiled = graph.call(CompileNow, "memory_compiler/compile_now", CompileNow.Request(flush=True))
    assert compiled.success, compiled.message
    return list(compiled.ids)


def test_what_robot_a_lived_robot_b_knows(
    graph: Graph, other_graph: Graph, tmp_path: Path
) -> None:
    a, b = graph, other_graph
    Signer.generate().save(tmp_path / "robot_a")
    store_a, store_b = str(tmp_path / "a"), str(tmp_path / "b")
    compiler = a.add(MemoryCompiler, store=store_a, period_seconds=3600.0)
    server_a = a.add(MemoryServer, store=store_a, signing_key=str(tmp_path / "robot_a"))
    a.wait(lambda: compiler.active and server_a.active, "robot A", READY_SECONDS)
    # One after the other: transformers does not load two models at once in one process.
    server_b = b.add(MemoryServer, store=store_b, model=SECOND_MODEL, require_signature=True)
    b.wait(lambda: server_b.active, "robot B", READY_SECONDS)

    ids = live(a)
    assert len(ids) == len(FACTS)
    assert right(a) >= 4
    exported = [
        graph.call(ExportMemory, "memory_server/export_memory", ExportMemory.Request(id=memory_id))
        for memory_id in ids
    ]
    files = [bytes(response.data) for response in exported]

    def offer(data: bytes) -> ImportMemory.Response:
        return b.call(ImportMemory, "memory_server/import_memory", ImportMemory.Request(data=data))

    # Nothing crosses from domain to domain by itself, and nothing unsigned or foreign is taken in.
    assert {name for name, _ in b.helper.get_node_names_and_namespaces()} == {
        "helper",
        "memory_server",
    }
    with MemoryStore(store_a, read_only=True) as own:
        unsigned = own.get(ids[0])
    assert "not signed" in offer(unsigned.to_bytes()).message
    assert "not a trusted key" in offer(unsigned.signed(Signer.generate()).to_bytes()).message
    assert "not a trusted key" in offer(files[0]).message
    with MemoryStore(store_b, read_only=True) as kept:
        assert len(kept.quarantined()) == 3 and kept.ids() == []
    question = next(iter(FACTS))
    assert ask(b, question).source == "BASE"

    TrustStore.of(Path(store_b)).add(tmp_path / "robot_a.pub")
    assert [offer(data).id for data in files] == ids
    assert right(b) >= 4  # at once, without a restart
    with MemoryStore(store_b, read_only=True) as kept:
        assert len(kept.quarantined()) == 2  # the one that A signed was taken in after all
        records = kept.records()
    assert all(r.provenance.imported and r.provenance.text is None for r in records)
    assert {record.key_id for record in records} == {Signer.load(tmp_path / "robot_a").key_id}
