"""
The server node over real DDS.

Most tests have an answerer that is told what to say, so that queueing and errors can be seen; the
last ones run the real language model with a renderer of random weights.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, PointStamped
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from ros_graph import Graph
from universal_memory_msgs.msg import MemoryCompiled, MemoryHit, MemoryStatus
from universal_memory_msgs.srv import (
    ExportMemory,
    ForgetMemory,
    ImportMemory,
    InspectMemory,
    QueryMemory,
)

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event, Modality, Pose
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.record import Provenance
from universal_memory.memory.signing import Signer
from universal_memory.memory.store import MemoryStore
from universal_memory.memory.trust import TrustStore
from universal_memory.nodes.conversions import from_stamp, to_stamp
from universal_memory.nodes.memory_server import MAX_QUESTION, MemoryServer, trust_of
from universal_memory.nodes.parameters import Parameters
from universal_memory.rendering.piece_tokens import FORMS, MOST_TOKENS, NONE
from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.routing.index import PassportIndex, path_in
from universal_memory.runtime.answer import BASE, COMPILED, FRESH, UNKNOWN, Answer, Hit
from universal_memory.runtime.language_model import DEFAULT_MODEL, LanguageModel
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import save_weights

pytestmark = pytest.mark.slow

SPACE = "untrained/1"
DAY = 86_400 * 10**9


class ToldAnswerer:
    """Says what it was asked; waits while `gate` is closed; raises what `error` holds."""

    def __init__(self, root: Path, trusted: TrustStore | None = None) -> None:
        self.store = MemoryStore(root, space_id=SPACE, trusted=trusted)
        self.index = PassportIndex.open(self.store)
        self.gate = threading.Event()
        self.gate.set()
        self.error: Exception | None = None
        self.asked: list[dict[str, object]] = []
        self.forgotten: list[str] = []
        self.taken_in: list[str] = []
        self.succession = SimpleNamespace(why="", mark=self.taken_in.extend)

    def answer(self, question: str, **options: object) -> Answer:
        self.asked.append({"question": question, **options})
        assert self.gate.wait(30.0)
        if self.error is not None:
            raise self.error
        if question == "unknown?" and str(options["unknown_answer"]).strip():
            return Answer(str(options["unknown_answer"]), UNKNOWN, (), 1.0, 0.0, 0.0, 0.0, 0)
        hits = (Hit("ab" * 32, 0.75, 1.0, 12 * 10**9, 0.5, 0.25, 3 * 10**9, 4 * 10**9),)
        return Answer(question[::-1], COMPILED, hits, 1.0, 2.0, 3.0, 4.0, 17)

    def forget(self, memory_id: str) -> None:
        self.forgotten.append(memory_id)

    def synchronise(self) -> None:
        self.index.synchronise(self.store)


class Served:
    """A server and the answerer behind it."""

    def __init__(self, graph: Graph, root: Path, **parameters: object) -> None:
        self.root = root
        self.answerers: list[ToldAnswerer] = []
        self.node: MemoryServer = graph.add(
            lambda **o: MemoryServer(self._load, **o), store=str(root), **parameters
        )

    def _load(self, values: Parameters, root: Path) -> ToldAnswerer:
        self.answerers.append(ToldAnswerer(root, trust_of(values, root)))
        return self.answerers[-1]

    @property
    def answerer(self) -> ToldAnswerer:
        return self.answerers[-1]


@pytest.fixture
def serve(graph: Graph, tmp_path: Path) -> Callable[..., Served]:
    def make(**parameters: object) -> Served:
        served = Served(graph, tmp_path / "store", **parameters)
        graph.wait(lambda: served.node.active, "an active server", 60.0)
        return served

    return make


def ask(graph: Graph, question: str, **fields: object) -> QueryMemory.Response:
    return graph.call(QueryMemory, "query", QueryMemory.Request(question=question, **fields))


def memory(seed: int) -> MemoryFile:
    random = np.random.default_rng(seed)
    usv = random.standard_normal((16, 256), dtype=np.float32)
    passport = random.standard_normal(1024, dtype=np.float32)
    return MemoryFile.create(usv, passport / np.linalg.norm(passport), SPACE, seed)


def test_answer_carries_everything_that_is_known_about_it(
    graph: Graph, serve: Callable[..., Served]
) -> None:
    served = serve(top_k=2, max_tokens=9)
    statuses = graph.collect(MemoryStatus, "memory_server/status")
    response = ask(graph, "who is there?", speaker="Anna")
    assert response.success and response.message == ""
    assert (response.answer, response.source) == ("?ereht si ohw", QueryMemory.Response.COMPILED)
    hit = response.memories[0]
    assert (hit.id, hit.relevance, hit.gate, hit.compiled_stamp.sec) == ("ab" * 32, 0.75, 1.0, 12)
    assert (hit.cosine, hit.conflict) == (0.5, 0.25)
    assert (hit.start_stamp.sec, hit.end_stamp.sec) == (3, 4)
    assert (response.load_ms, response.generate_ms, response.prompt_tokens) == (2.0, 4.0, 17)
    asked = served.answerer.asked[0]
    assert asked["unknown_answer"] == ""
    assert (asked["speaker"], asked["top_k"], asked["max_tokens"]) == ("Anna", 2, 9)
    assert asked["min_relevance"] == 0.5 and asked["fresh"] == [] and asked["window"] is None
    ask(graph, "again", top_k=5, min_relevance=0.0, max_tokens=3)
    asked = served.answerer.asked[1]
    assert (asked["top_k"], asked["min_relevance"], asked["max_tokens"]) == (5, 0.0, 3)
    graph.wait(lambda: statuses and statuses[-1].queries_total == 2, "a status")
    assert statuses[-1].answers_compiled == 2 and statuses[-1].total_p95_ms == 10.0


def test_what_to_say_of_the_unknown_is_a_parameter_that_a_request_overrides(
    graph: Graph, serve: Callable[..., Served]
) -> None:
    served = serve(unknown_answer="I do not know.")
    statuses = graph.collect(MemoryStatus, "memory_server/status")
    response = ask(graph, "unknown?")
    assert response.success and response.answer == "I do not know."
    assert response.source == QueryMemory.Response.UNKNOWN and response.prompt_tokens == 0
    assert ask(graph, "unknown?", unknown_answer="No idea.").answer == "No idea."
    ask(graph, "unknown?", unknown_answer=" ")
    assert served.answerer.asked[2]["unknown_answer"] == " "
    graph.wait(lambda: statuses and statuses[-1].queries_total == 3, "a status")
    assert (statuses[-1].answers_unknown, statuses[-1].answers_base) == (2, 0)


@pytest.mark.parametrize(
    ("question", "reason"),
    [("", "empty"), (" \n\t", "empty"), ("x" * 10_000, "10000 characters")],
)
def test_impossible_questions_are_refused_with_the_reason(
    graph: Graph, serve: Callable[..., Served], question: str, reason: str
) -> None:
    served = serve()
    response = ask(graph, question)
    assert not response.success and reason in response.message and response.answer == ""
    stranger = ask(graph, "Where is my tea?", speaker="A" * 10_000)
    assert not stranger.success and "10000 characters" in stranger.message
    assert served.answerer.asked == []
    assert ask(graph, "安娜的茶怎么泡？ Где ключ?").success
    assert ask(graph, "x" * MAX_QUESTION).success


def test_impossible_windows_are_refused_with_the_reason(
    graph: Graph, serve: Callable[..., Served]
) -> None:
    served = serve()
    statuses = graph.collect(MemoryStatus, "memory_server/status")
    turned = ask(graph, "who?", after=Time(sec=9), before=Time(sec=8))
    assert not turned.success and "exchange them" in turned.message
    nowhere = ask(graph, "who?", near_radius=2.0)
    assert not nowhere.success and "has no frame" in nowhere.message
    assert served.answerer.asked == []
    graph.wait(lambda: statuses and statuses[-1].queries_rejected == 2, "the count")


def test_one_question_at_a_time_a_bounded_queue_and_status_all_the_while(
    graph: Graph, serve: Callable[..., Served]
) -> None:
    served = serve(queue_size=1)
    statuses = graph.collect(MemoryStatus, "memory_server/status")
    served.answerer.gate.clear()
    client = graph.helper.create_client(QueryMemory, "query")
    assert client.wait_for_service(15.0)
    first = client.call_async(QueryMemory.Request(question="first"))
    graph.wait(lambda: served.answerer.asked, "the first question")
    second = client.call_async(QueryMemory.Request(question="second"))
    graph.wait(lambda: statuses and statuses[-1].queue_length == 2, "a status during a query")
    refused = ask(graph, "third")
    assert not refused.success and "busy" in refused.message
    assert len(served.answerer.asked) == 1, "the model answers one question at a time"
    graph.diagnostics.clear()
    graph.wait(lambda: graph.status("memory_server"), "diagnostics during a query")
    served.answerer.gate.set()
    graph.wait(lambda: first.done() and second.done(), "both answers")
    assert (first.result().answer, second.result().answer) == ("tsrif", "dnoces")
    graph.wait(lambda: statuses[-1].queries_rejected == 1, "the count")


def test_error_of_the_model_is_an_answer_and_a_diagnostics_entry(
    graph: Graph, serve: Callable[..., Served]
) -> None:
    served = serve()
    served.answerer.error = RuntimeError("out of memory; remedy: a smaller model")
    response = ask(graph, "who?")
    assert not response.success and "smaller model" in response.message
    served.answerer.error = None
    assert ask(graph, "who?").success
    graph.wait(lambda: graph.value("memory_server", "refused query") == "1", "the entry")


def test_memory_services(graph: Graph, serve: Callable[..., Served], tmp_path: Path) -> None:
    served = serve()
    kept, stranger = memory(1), memory(2)
    pose = {"frame_id": "map", "position": [1.0, 2.0, 0.0], "orientation": [0.0, 0.0, 0.0, 1.0]}
    origin = Provenance(
        compiled_stamp=9 * 10**9, streams=("audio",), source="day.mcap", pose=pose, text="words"
    )
    served.answerer.store.add(kept, origin)
    announcements = graph.publisher(MemoryCompiled, "memory_compiled")
    announcements.publish(MemoryCompiled(id=kept.id))
    graph.wait(lambda: kept.id in served.answerer.index, "the new file in the index")
    announcements.publish(MemoryCompiled(id="cd" * 32))
    graph.wait(lambda: graph.value("memory_server", "refused memory file") == "1", "a refusal")

    def call(kind: type, name: str, **fields: object) -> object:
        return graph.call(kind, f"memory_server/{name}", kind.Request(**fields))

    seen = call(InspectMemory, "inspect", id=kept.id[:8])
    assert seen.success and seen.id == kept.id and seen.text == "words"
    assert seen.compiled_stamp.sec == 9 and list(seen.streams) == ["audio"]
    assert seen.has_pose and seen.pose.header.frame_id == "map" and seen.pose.pose.position.y == 2.0

    path = tmp_path / "out.ump"
    exported = call(ExportMemory, "export_memory", id=kept.id, path=str(path))
    assert exported.success and bytes(exported.data) == kept.to_bytes() == path.read_bytes()

    added = call(ImportMemory, "import_memory", data=stranger.to_bytes())
    assert added.success and added.id == stranger.id and stranger.id in served.answerer.index
    assert call(InspectMemory, "inspect", id=stranger.id).imported
    assert call(ImportMemory, "import_memory", path=str(path)).id == kept.id
    assert served.answerer.taken_in == [stranger.id, kept.id]  # what do they supersede?

    foreign = MemoryFile.create(stranger.usv, stranger.passport, "other/1", 1)
    broken = bytearray(stranger.to_bytes())
    broken[-1] ^= 1
    for data in (b"", b"rubbish", bytes(broken), foreign.to_bytes(), bytes(50_000)):
        refused = call(ImportMemory, "import_memory", data=data)
        assert not refused.success and refused.message
    missing = call(ImportMemory, "import_memory", path=str(tmp_path / "nowhere.ump"))
    assert not missing.success and "nowhere.ump" in missing.message

    with MemoryStore(served.root) as other:  # by another process, a moment before
        other.forget(stranger.id)
    gone = call(ForgetMemory, "forget", id=kept.id)
    assert gone.success and gone.id == kept.id
    assert kept.id not in served.answerer.index and kept.id not in served.answerer.store
    assert served.answerer.forgotten == [kept.id]
    assert PassportIndex.load(path_in(served.answerer.store)).ids() == []
    for service, name in ((ForgetMemory, "forget"), (InspectMemory, "inspect")):
        for memory_id in (kept.id, "", "xyz", "../../etc"):
            refused = call(service, name, id=memory_id)
            assert not refused.success and refused.message


def test_only_what_a_trusted_key_signed_gets_in(
    graph: Graph, serve: Callable[..., Served], tmp_path: Path
) -> None:
    served = serve(require_signature=True)
    maker = Signer.generate()
    maker.save(tmp_path / "maker")
    store, signed = served.answerer.store, memory(1).signed(maker)

    def offer(file: MemoryFile) -> ImportMemory.Response:
        request = ImportMemory.Request(data=file.to_bytes())
        return graph.call(ImportMemory, "memory_server/import_memory", request)

    assert "not signed" in offer(memory(1)).message
    assert "ump key add" in offer(signed).message
    assert len(store.quarantined()) == 2 and not store.ids()
    TrustStore.of(served.root).add(tmp_path / "maker.pub")
    for _ in range(2):  # the second time changes nothing
        assert offer(signed).success
        assert store.ids() == served.answerer.index.ids() == [signed.id]
    # What another process imports without asking for signatures is passed over.
    with MemoryStore(served.root) as other:
        other.add(memory(2), Provenance(imported=True))
        other.add(memory(3), Provenance(text="of this robot's own compiler"))
    graph.wait(lambda: memory(3).id in served.answerer.index, "the robot's own memory")
    assert memory(2).id not in served.answerer.index
    graph.wait(lambda: graph.value("memory_server", "files passed over") == "1", "the count")


def test_what_is_handed_out_is_signed(
    graph: Graph, serve: Callable[..., Served], tmp_path: Path
) -> None:
    robot = Signer.generate()
    robot.save(tmp_path / "robot")
    served = serve(signing_key=str(tmp_path / "robot"))
    memory_id = served.answerer.store.add(memory(1), Provenance(text="seen"))
    request = ExportMemory.Request(id=memory_id, path=str(tmp_path / "out.ump"))
    response = graph.call(ExportMemory, "memory_server/export_memory", request)
    assert response.success, response.message
    assert bytes(response.data) == (tmp_path / "out.ump").read_bytes()
    MemoryFile.from_bytes(bytes(response.data), trusted={robot.key_id: robot.public_key})


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"require_signature": True, "trusted_keys": "/nowhere/keys"}, "ump key add KEY.pub"),
        ({"signing_key": "/nowhere/robot"}, "cannot read key /nowhere/robot"),
    ],
)
def test_keys_that_are_missing_are_named(
    graph: Graph, tmp_path: Path, parameters: dict[str, object], reason: str
) -> None:
    served = Served(graph, tmp_path / "store", **parameters)
    graph.wait(lambda: reason in served.node.health.error, "the reason")


def test_what_others_do_to_the_store_is_noticed(
    graph: Graph, serve: Callable[..., Served]
) -> None:
    served = serve()
    file = memory(1)
    with MemoryStore(served.root) as other:
        other.add(file)
        graph.wait(lambda: file.id in served.answerer.index, "the file that nobody announced")
        other.forget(file.id)
        graph.wait(lambda: file.id not in served.answerer.index, "the end of it")


def test_fresh_window_is_what_the_compiler_has_not_compiled(
    graph: Graph, serve: Callable[..., Served]
) -> None:
    served = serve(fresh_seconds=100.0)
    with RollingBuffer(served.root / "buffer.sqlite") as buffer:
        old, compiled, fresh = (
            buffer.append(Event(second * 10**9, "audio", Modality.AUDIO, (1,), f"text {second}"))
            for second in (10, 950, 960)
        )
        buffer.mark_compiled([compiled], "ab" * 32)
        assert ask(graph, "what now?").success
        assert [event.text for event in served.answerer.asked[-1]["fresh"]] == ["text 960"]
    assert old < fresh


def test_second_server_on_a_store_and_a_store_that_cannot_be_written(
    graph: Graph, serve: Callable[..., Served], tmp_path: Path
) -> None:
    serve()
    other = Graph()
    try:
        second = Served(other, tmp_path / "store")
        other.wait(lambda: "already used by a server" in second.node.health.error, "the reason")
        answer = ask(other, "who?")
        assert not answer.success and "activate it first" in answer.message
        (tmp_path / "file").write_text("not a folder")
        third = Served(other, tmp_path / "file" / "store")
        other.wait(lambda: "remedy" in third.node.health.error, "the reason")
    finally:
        other.close()


def test_a_model_that_fails_in_an_unforeseen_way_is_told(graph: Graph, tmp_path: Path) -> None:
    def load(values: Parameters, root: Path) -> ToldAnswerer:
        raise KeyError("tensor of another world")

    node = graph.add(lambda **o: MemoryServer(load, **o), store=str(tmp_path / "store"))
    graph.wait(lambda: "KeyError: 'tensor" in node.health.error, "the reason")
    graph.wait(lambda: graph.value("memory_server", "state") == "unconfigured", "an entry")
    MemoryStore(tmp_path / "store").lock("server").acquire().release()


def test_what_was_compiled_while_inactive_is_known_after_activation(
    graph: Graph, serve: Callable[..., Served]
) -> None:
    served = serve()

    def change(transition: int) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        assert graph.call(ChangeState, "memory_server/change_state", request).success

    change(Transition.TRANSITION_DEACTIVATE)
    assert not ask(graph, "who?").success
    file = memory(3)
    served.answerer.store.add(file)
    change(Transition.TRANSITION_ACTIVATE)
    assert file.id in served.answerer.index and ask(graph, "who?").success


@pytest.fixture(scope="module")
def language_model() -> LanguageModel:
    return LanguageModel(DEFAULT_MODEL)


@pytest.fixture
def random_renderer(
    untrained: Path,
    tower: TextTower,
    language_model: LanguageModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = RendererConfig.for_architecture(language_model.architecture, SPACE)
    path = untrained / "renderers" / "random" / "renderer.safetensors"
    if not path.exists():
        torch.manual_seed(0)
        pieces = len(tower.codes.codes)
        tokens = torch.full((FORMS, pieces, MOST_TOKENS), NONE)
        tokens[..., 0] = torch.arange(pieces)
        reader, embeddings = SlotReader(tower.codes.codes), TokenEmbeddings(language_model.model)
        renderer = Renderer(config, reader, embeddings, tokens)
        save_weights(path, renderer, {"config": vars(config)})
    monkeypatch.setenv("UMP_MODELS", str(untrained))


def test_real_model_answers_from_files_without_their_words_in_the_prompt(
    graph: Graph, random_renderer: None, language_model: LanguageModel, tmp_path: Path
) -> None:
    root = tmp_path / "store"
    with MemoryStore(root) as store:
        for seed in range(3):
            store.add(memory(seed), Provenance(compiled_stamp=seed + 1))
    node = graph.add(MemoryServer, store=str(root), max_tokens=3)
    graph.wait(lambda: node.active, "an active server", 300.0)
    question = "Where is the blue cup?"
    response = ask(graph, question)
    assert response.success, response.message
    # Slots of noise read as many parts each, and no more parts are put on than files would be.
    assert response.source == COMPILED and 1 <= len(response.memories) <= 3
    assert response.prompt_tokens == len(language_model.prompt_ids(question))
    assert response.memories[0].gate == 1.0 and response.generate_ms > 0
    base = ask(graph, question, min_relevance=1.0)
    assert base.source == BASE and not base.memories
    assert base.answer == language_model.generate([language_model.prompt_ids(question)], 3)[0]
    with RollingBuffer(root / "buffer.sqlite") as buffer:
        buffer.append(Event(10**9, "audio", Modality.AUDIO, (1,), "Anna said: it is upstairs."))
        for memory_id in node._desk.store.ids():
            request = ForgetMemory.Request(id=memory_id)
            assert graph.call(ForgetMemory, "memory_server/forget", request).success
        fresh = ask(graph, question, min_relevance=0.9)
    assert fresh.source == FRESH and fresh.prompt_tokens > response.prompt_tokens


def test_a_window_of_time_or_place_leads_to_its_own_file(
    graph: Graph, random_renderer: None, tmp_path: Path
) -> None:
    """Whatever file wins without a window, with one it is the file of that window."""
    root, upright = tmp_path / "store", (0.0, 0.0, 0.0, 1.0)
    ids: list[str] = []
    with MemoryStore(root) as store:
        for day in (1, 2, 3):
            pose = vars(Pose("map", (10.0 * day, 0.0, 1.2), upright))
            origin = Provenance(
                compiled_stamp=day * DAY + 5, start_stamp=day * DAY, end_stamp=day * DAY + 4,
                pose=pose,
            )  # fmt: skip
            ids.append(store.add(memory(day), origin))
        store.add(memory(4), Provenance(imported=True))
    node = graph.add(MemoryServer, store=str(root), max_tokens=1, top_k=1)
    graph.wait(lambda: node.active, "an active server", 300.0)

    def winner(**window: object) -> MemoryHit | None:
        response = ask(graph, "Where is the blue cup?", **window)
        assert response.success, response.message
        assert (response.source == COMPILED) == bool(response.memories)
        return response.memories[0] if response.memories else None

    best = winner()
    assert best is not None
    for day, memory_id in zip((1, 2, 3), ids, strict=True):
        then = winner(after=to_stamp(day * DAY - 60), before=to_stamp(day * DAY))
        assert then is not None and then.id == memory_id
        assert from_stamp(then.start_stamp) == day * DAY
        assert from_stamp(then.end_stamp) == day * DAY + 4
        there = PointStamped(point=Point(x=10.0 * day + 1.0, z=math.nan))
        there.header.frame_id = "map"
        found = winner(near=there, near_radius=2.0)
        assert found is not None and found.id == memory_id
    assert winner(after=to_stamp(4 * DAY)) is None


def test_model_or_renderer_that_is_missing_is_named(
    graph: Graph, untrained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("UMP_MODELS", str(untrained))
    node = graph.add(MemoryServer, store=str(tmp_path / "store"), model="no-such-model")
    graph.wait(lambda: "no-such-model" in node.health.error, "the reason", 120.0)
    assert node.state in ("configuring", "unconfigured")
