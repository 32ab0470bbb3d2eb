"""
`memory_server` (lifecycle): answers questions from memory files.

    query ──> one job at a time: route → load → render → attach → generate → detach ──> answer
    memory_compiled ──> index

Files are shared with the compiler through the store on disk; `memory_compiled` only says that there
is one more. What others do to the store (`ump memory import`, a compiler that was killed before it
could say so) is noticed within seconds. The fresh window, events that are in no file yet, is read
from the compiler's rolling buffer, read-only, at each query: there is one truth about what is
compiled, and a restarted server knows it at once. (Listening to `experience` instead would keep a
second, forgetful copy.)
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from universal_memory_msgs.msg import MemoryCompiled, MemoryHit, MemoryStatus
from universal_memory_msgs.srv import QueryMemory

from universal_memory.encryption import Cipher, store_cipher
from universal_memory.experience.buffer import RollingBuffer, RollingBufferError
from universal_memory.experience.event import Event
from universal_memory.memory.lock import StoreLock
from universal_memory.memory.signing import Signer
from universal_memory.memory.store import MemoryStore
from universal_memory.memory.trust import TrustStore
from universal_memory.memory.window import Window, WindowError
from universal_memory.nodes.conversions import to_stamp, window_of
from universal_memory.nodes.jobs import Busy, Jobs
from universal_memory.nodes.managed import EXPECTED, ManagedNode, explained
from universal_memory.nodes.memory_services import Memories, MemoryServices
from universal_memory.nodes.parameters import Parameters, Row
from universal_memory.nodes.qos import EVERY_ONE, STATUS
from universal_memory.nodes.query_statistics import QueryStatistics
from universal_memory.nodes.spin import run
from universal_memory.resources import models_dir, store_root
from universal_memory.runtime.answer import Answer
from universal_memory.runtime.answerer import Answerer
from universal_memory.space.semantic_space import WEIGHTS as SPACE_WEIGHTS
from universal_memory.weights import read_card

PARAMETERS = (
    Row("store", "", "Folder of the memory store; empty: $UMP_HOME or the user's data folder."),
    Row("store_key", "", "Key file of an encrypted store; empty: $UMP_STORE_KEY, if it is set."),
    Row("model", "smollm2-135m", "On-robot language model: a packaged name or a folder."),
    Row("top_k", 3, "Most memory files to fuse for a question.", 1, 16),
    Row("min_relevance", 0.5, "Files below this probability of being relevant are ignored.", 0.0,
        1.0),
    Row("max_tokens", 32, "Most tokens of an answer.", 1, 1024),
    Row("unknown_answer", "", "Answer where no memory is relevant, with source UNKNOWN; empty: the"
        " base model answers."),
    Row("fresh_seconds", 3600.0, "Events not compiled yet are used up to this age [s].", 0.0,
        604_800.0),
    Row("queue_size", 4, "Questions that may wait; further ones are refused as busy.", 0, 8),
    Row("adapter_cache", 64, "Rendered adapters kept in memory.", 1, 100_000),
    Row("require_signature", False, "Refuse memories of others that no trusted key signed."),
    Row("trusted_keys", "", "Folder of the trusted *.pub keys; empty: trusted_keys in the store."),
    Row("signing_key", "", "Private key (PEM) that signs what is exported; empty: unsigned."),
)
FOLLOW_SECONDS = 2.0  # between looks at what others did to the store
MAX_QUESTION, MAX_SPEAKER = 2000, 100  # characters

Load = Callable[[Parameters, Path], Answerer]


@dataclass(frozen=True)
class Desk:
    """What is open while the node is configured."""

    store: MemoryStore
    role: StoreLock
    answerer: Answerer
    memories: Memories
    jobs: Jobs

    def close(self) -> None:
        """Finish the running answer, refuse the waiting ones, give the store back."""
        self.jobs.stop(wait=True)
        self.role.release()
        self.store.close()


class QuestionError(ValueError):
    """A question that is not tried; the message says what to ask instead."""


class MemoryServer(ManagedNode):
    """Owns the language model and the server's role on one store, while it is configured."""

    def __init__(self, load: Load | None = None, **options: Any) -> None:
        """`load` makes the answerer on configure (a test gives its own)."""
        self._load = load or load_answerer
        self._desk: Desk | None = None
        self._reading = threading.Lock()  # the desk is not closed under a reader
        self._statistics = QueryStatistics()
        self._subscription: Any = None
        self._follower: Any = None
        self._version = 0  # of the store, when the index was last like it
        super().__init__("memory_server", PARAMETERS, **options)
        self._status = self.create_publisher(MemoryStatus, "~/status", STATUS)
        self._memory_services = MemoryServices(
            self, lambda: self._desk.memories if self._desk else None
        )
        # Reentrant: one question waits for its job while the next is refused or queued.
        self.create_service(
            QueryMemory, "query", self._query, callback_group=ReentrantCallbackGroup()
        )

    def configure(self) -> None:
        """Take the store's server role, load language model, renderer, router and index."""
        values = self.parameters
        root = Path(values["store"]).expanduser() if values["store"] else store_root()
        with ExitStack() as opened:
            role = opened.enter_context(StoreLock(root, "server"))
            signer = signer_of(values)
            answerer = self._load(values, root)
            opened.pop_all()  # all is well: the desk releases it
        store = answerer.store
        memories = Memories(
            store, answerer.index, answerer.forget, signer, answerer.succession.mark
        )
        if answerer.succession.why:
            self.get_logger().info(answerer.succession.why)
        self._statistics = QueryStatistics()
        self._desk = Desk(store, role, answerer, memories, Jobs("query", values["queue_size"]))

    def activate(self) -> None:
        """Learn what was compiled meanwhile, and listen for more."""
        assert self._desk is not None
        self._subscription = self.create_subscription(
            MemoryCompiled, "memory_compiled", self._learn, EVERY_ONE
        )
        self._version = self._desk.store.version()
        self._synchronise(self._desk)
        self._follower = self.create_timer(
            FOLLOW_SECONDS, self._follow, MutuallyExclusiveCallbackGroup(), self._steady
        )

    def deactivate(self) -> None:
        """Stop listening; questions are refused."""
        if self._follower is not None:
            self.destroy_timer(self._follower)
            self._follower = None
        if self._subscription is not None:
            self.destroy_subscription(self._subscription)
            self._subscription = None

    def release(self) -> None:
        """Finish the running answer and let model and store go."""
        with self._reading:
            desk, self._desk = self._desk, None
        if desk is not None:
            desk.close()

    def values(self) -> dict[str, object]:
        """Return what the server holds and did."""
        message = MemoryStatus()
        self._fill(message)
        return {
            "model": self.parameters["model"],
            "files": message.files,
            "files passed over": self._desk.memories.index.left_out if self._desk else 0,
            "questions answered": message.queries_total,
            "questions refused": message.queries_rejected,
            "questions failed": message.queries_failed,
            "questions waiting": message.queue_length,
            "latency p50 [ms]": f"{message.total_p50_ms:.0f}",
        }

    def status(self) -> None:
        """Publish `~/status`."""
        message = MemoryStatus()
        message.header.stamp = self.get_clock().now().to_msg()
        self._fill(message)
        self._status.publish(message)

    def _fill(self, message: MemoryStatus) -> None:
        self._statistics.fill(message)
        with self._reading:
            if self._desk is not None:
                message.files = len(self._desk.memories.index)
                message.queue_length = self._desk.jobs.length

    def _learn(self, message: MemoryCompiled) -> None:
        """Put a new file into the index: one small read, so it is done right here."""
        desk = self._desk
        if desk is None or message.id in desk.memories.index:
            return
        try:
            desk.memories.index.add([message.id], desk.store.get(message.id).passport[None])
        except EXPECTED as error:
            if self.health.refuse("memory file", f"memory {message.id[:12]}: {error}"):
                self.get_logger().warning(f"memory {message.id[:12]}: {error}")

    def _follow(self) -> None:
        """Bring the index up to date with what others did to the store."""
        desk = self._desk
        if desk is None:
            return
        try:
            version = desk.store.version()
            if version != self._version:
                self._synchronise(desk)
                self._version = version  # of before: what changed meanwhile is seen next time
        except EXPECTED as error:
            if self.health.refuse("store", str(error)):
                self.get_logger().warning(str(error))

    def _synchronise(self, desk: Desk) -> None:
        """Make the index like the store, and say what of the store is passed over."""
        index = desk.memories.index
        desk.answerer.synchronise()
        if index.left_out:
            self.get_logger().warning(
                f"{index.left_out} files of the store are passed over: damaged, of another space, "
                "or not signed by a trusted key; `ump memory verify --require-signature` says which"
            )

    def _query(
        self, request: QueryMemory.Request, response: QueryMemory.Response
    ) -> QueryMemory.Response:
        desk = self._desk
        try:
            if desk is None or not self.active:
                raise Busy(f"memory_server is {self.state}: activate it first")
            check_question(request.question, request.speaker)
            window = window_of(request)
            answer = desk.jobs.run(lambda: self._answer(desk, request, window))
        except (Busy, QuestionError, WindowError) as error:
            self._statistics.rejected()
            response.message = str(error)
        except Exception as error:
            self._statistics.failed()
            response.message = explained(error, self.get_logger())
            self.health.refuse("query", f"cannot answer: {response.message}")
            self.get_logger().error(f"cannot answer: {response.message}")
        else:
            fill_response(response, answer)
            self._statistics.answered(response)
        return response

    def _answer(
        self, desk: Desk, request: QueryMemory.Request, window: Window | None
    ) -> Answer:
        """Answer in the job thread."""
        values = self.parameters
        return desk.answerer.answer(
            request.question,
            speaker=request.speaker,
            top_k=min(request.top_k, 16) or values["top_k"],
            min_relevance=(
                values["min_relevance"]
                if request.min_relevance < 0
                else min(request.min_relevance, 1.0)
            ),
            max_tokens=min(request.max_tokens, 1024) or values["max_tokens"],
            unknown_answer=request.unknown_answer or values["unknown_answer"],
            window=window,
            fresh=fresh_events(
                desk.store.root / "buffer.sqlite", values["fresh_seconds"], desk.store.cipher
            ),
        )


def check_question(question: str, speaker: str = "") -> None:
    """Raise `QuestionError` for a question or a name that cannot be one."""
    if not question.strip():
        raise QuestionError("the question is empty: ask something")
    if len(question) > MAX_QUESTION:
        raise QuestionError(
            f"the question has {len(question)} characters: ask with at most {MAX_QUESTION}"
        )
    if len(speaker) > MAX_SPEAKER:  # it takes the place of every "I" and "my"
        raise QuestionError(
            f"the speaker's name has {len(speaker)} characters: give at most {MAX_SPEAKER}"
        )


def fresh_events(path: Path, seconds: float, cipher: Cipher | None = None) -> list[Event]:
    """Return the events of the compiler's buffer that are in no file yet, oldest first."""
    if seconds <= 0 or not path.is_file():
        return []
    try:
        with RollingBuffer(path, read_only=True, cipher=cipher) as buffer:
            return [row.event for row in buffer.window(seconds)]
    except RollingBufferError:
        # The compiler is just making it, or has damaged it: then it says so; files still answer.
        return []


def fill_response(response: QueryMemory.Response, answer: Answer) -> None:
    """Write an answer into the response."""
    response.success = True
    response.answer, response.source = answer.answer, answer.source
    response.memories = [
        MemoryHit(
            id=hit.id,
            relevance=hit.relevance,
            gate=hit.gate,
            cosine=hit.cosine,
            conflict=hit.conflict,
            compiled_stamp=to_stamp(hit.compiled_stamp),
            start_stamp=to_stamp(hit.start_stamp),
            end_stamp=to_stamp(hit.end_stamp),
        )
        for hit in answer.hits
    ]
    response.route_ms, response.load_ms = answer.route_ms, answer.load_ms
    response.render_ms, response.generate_ms = answer.render_ms, answer.generate_ms
    response.prompt_tokens = answer.prompt_tokens


def load_answerer(values: Parameters, root: Path) -> Answerer:
    """Load language model, renderer, router and index; raise with the remedy if one is missing."""
    # Files of another space are refused by the store, before they can steer the model.
    space_id = str(read_card(models_dir() / SPACE_WEIGHTS)["space_id"])
    with ExitStack() as opened:
        trusted = trust_of(values, root)
        cipher = store_cipher(values["store_key"])
        store = opened.enter_context(
            MemoryStore(root, space_id=space_id, trusted=trusted, cipher=cipher)
        )
        answerer = Answerer.load(store, values["model"], values["adapter_cache"])
        opened.pop_all()
    return answerer


def trust_of(values: Parameters, root: Path) -> TrustStore | None:
    """Return whose signatures count; None accepts memories of anybody. Raise KeyFileError."""
    return TrustStore.of(root, values["trusted_keys"]) if values["require_signature"] else None


def signer_of(values: Parameters) -> Signer | None:
    """Return who signs what is exported, if anybody. Raise KeyFileError."""
    path = values["signing_key"]
    return Signer.load(Path(path).expanduser()) if path else None


def main() -> int:
    """Run the node until it is told to stop."""
    return run(MemoryServer)


if __name__ == "__main__":
    sys.exit(main())
