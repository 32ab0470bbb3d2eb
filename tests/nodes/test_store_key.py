"""The lifecycle nodes on an encrypted store: with the key as ever, without it a clear refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from ros_graph import Graph
from std_msgs.msg import Header
from universal_memory_msgs.msg import ExperienceEvent, MemoryStatus
from universal_memory_msgs.srv import CompileNow

from universal_memory.encryption import Cipher
from universal_memory.experience.buffer import RollingBuffer
from universal_memory.memory.store import MemoryStore
from universal_memory.nodes.memory_compiler import MemoryCompiler
from universal_memory.nodes.memory_server import fresh_events

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def models(untrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UMP_MODELS", str(untrained))
    monkeypatch.delenv("UMP_STORE_KEY", raising=False)


def test_a_compiler_with_a_key_leaves_nothing_readable(graph: Graph, tmp_path: Path) -> None:
    root, path, cipher = tmp_path / "store", tmp_path / "store.key", Cipher.generate()
    cipher.save(path)
    parameters = {"store": str(root), "store_key": str(path), "period_seconds": 3600.0}
    node = graph.add(MemoryCompiler, **parameters)
    graph.wait(lambda: node.active, "an active compiler", 60.0)
    statuses = graph.collect(MemoryStatus, "memory_compiler/status")
    experience = graph.publisher(ExperienceEvent, "experience")
    text = "Anna said: meet me in zanzibar."
    event = ExperienceEvent(header=Header(), stream="audio", modality="audio", text=text)
    experience.publish(event)
    graph.wait(lambda: statuses and statuses[-1].events_total == 1, "an event in the buffer")
    assert [event.text for event in fresh_events(root / "buffer.sqlite", 60.0, cipher)] == [text]
    request = CompileNow.Request(flush=True)
    response = graph.call(CompileNow, "memory_compiler/compile_now", request)
    assert response.success and len(response.ids) == 1, response.message
    files = [found for found in root.rglob("*") if found.is_file()]
    assert files and not [found for found in files if b"zanzibar" in found.read_bytes()]
    with MemoryStore(root, read_only=True, cipher=cipher) as store:
        record = store.record(response.ids[0])
        assert record is not None and record.provenance.text == text


@pytest.mark.parametrize("key", ["", "absent.key", "other.key"])
def test_without_the_key_it_says_so_and_touches_nothing(
    graph: Graph, tmp_path: Path, key: str
) -> None:
    root = tmp_path / "store"
    MemoryStore(root, cipher=Cipher.generate()).close()
    Cipher.generate().save(tmp_path / "other.key")
    named = str(tmp_path / key) if key else ""
    node = graph.add(MemoryCompiler, store=str(root), store_key=named, autostart=False)
    node.trigger_configure()
    assert not node.active and "remedy" in node.health.error
    assert not (root / "buffer.sqlite").exists() and not (root / "ledger.sqlite").exists()


def test_the_buffer_is_refused_as_the_store_is(tmp_path: Path) -> None:
    path = tmp_path / "buffer.sqlite"
    RollingBuffer(path, cipher=Cipher.generate()).close()
    with pytest.raises(ValueError, match="remedy: name its key file"):
        fresh_events(path, 60.0)
