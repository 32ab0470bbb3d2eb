"""
`memory_compiler` (lifecycle): what was experienced becomes memory files.

    experience ──> rolling buffer (durable) ── schedule, ~/compile_now ──> store ──> memory_compiled

Callbacks only hand over: a writer thread puts events into the buffer, a job thread compiles, one
compilation at a time. What waits in the buffer survives the process.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.clock import JumpHandle, JumpThreshold
from rclpy.duration import Duration
from universal_memory_msgs.msg import ExperienceEvent, MemoryCompiled, MemoryStatus
from universal_memory_msgs.srv import CompileNow

from universal_memory.encryption import store_cipher
from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.episode import MAX_EVENTS
from universal_memory.memory.lock import StoreLock
from universal_memory.memory.store import MemoryStore
from universal_memory.nodes.buffer_writer import BufferWriter
from universal_memory.nodes.conversions import to_stamp
from universal_memory.nodes.jobs import Jobs
from universal_memory.nodes.managed import ManagedNode, explained
from universal_memory.nodes.parameters import Parameters, Row
from universal_memory.nodes.qos import EVERY_ONE, STATUS
from universal_memory.nodes.spin import run
from universal_memory.resources import store_root
from universal_memory.runtime.compiler import CompiledMemory, Compiler, CompileReport
from universal_memory.runtime.surprise import DECAY_SECONDS, SurpriseMeter

PARAMETERS = (
    Row("store", "", "Folder of the memory store; empty: $UMP_HOME or the user's data folder."),
    Row("store_key", "", "Key file of an encrypted store; empty: $UMP_STORE_KEY, if it is set."),
    Row(
        "period_seconds",
        60.0,
        "Time between scheduled compilations [s, node clock].",
        1.0,
        86_400.0,
    ),
    Row("gap_seconds", 20.0, "A pause this long ends an episode [s].", 0.5, 3600.0),
    Row("max_word_pieces", 64, "Most word pieces of an episode.", 8, 126),
    Row("max_events", MAX_EVENTS, "Most events of an episode.", 1, 64),
    Row("join_references", True, "With max_events 1: compile 'She left.' with the event it refers"
        " back to."),
    Row("buffer_seconds", 3600.0, "Events older than this leave the buffer [s].", 1.0, 604_800.0),
    Row("buffer_tokens", 2_000_000, "Most tokens in the buffer.", 1000, 1_000_000_000),
    Row("keep_text", True, "Keep a memory's text in the local ledger (never in the file)."),
    Row(
        "surprise_budget",
        1.0,
        "Share of the episodes to remember, the most surprising; 1: all, and no model is loaded.",
        0.01,
        1.0,
    ),
    Row(
        "surprise_momentum",
        0.0,
        "Share of an episode's surprise that goes on to the next one of its stream.",
        0.0,
        0.99,
    ),
    Row(
        "surprise_decay_seconds",
        DECAY_SECONDS,
        "Pause in which that falls to 37 % [s, header stamps].",
        1.0,
        86_400.0,
    ),
    Row("model", "smollm2-135m", "Language model that is surprised: a packaged name or a folder."),
    Row(
        "queue_size",
        10_000,
        "Events that may wait for the disk; further ones are refused.",
        1,
        1_000_000,
    ),
)
WAITING_CALLS = 4
SETTLE_SECONDS = 30.0

Load = Callable[[Parameters, MemoryStore, RollingBuffer], Compiler]


@dataclass(frozen=True)
class Workshop:
    """What is open while the node is configured."""

    store: MemoryStore
    role: StoreLock
    buffer: RollingBuffer
    compiler: Compiler
    writer: BufferWriter
    jobs: Jobs

    def close(self) -> None:
        """Finish the running compilation, write what is queued, give the store back."""
        self.jobs.stop(wait=True)
        self.writer.stop()
        self.buffer.close()
        self.role.release()
        self.store.close()


class MemoryCompiler(ManagedNode):
    """Owns the rolling buffer and the compiler's role on one store, while it is configured."""

    def __init__(self, load: Load | None = None, **options: Any) -> None:
        """`load` makes the compiler on configure (a test gives its own)."""
        self._load = load or load_compiler
        self._shop: Workshop | None = None
        self._reading = threading.Lock()  # the workshop is not closed under a reader
        self._compiled = self._dropped = self._oversize = self._failures = 0
        self._unsurprising = 0
        self._compile_ms = 0.0
        self._files = self._aged_before = 0
        self._listening: tuple[Any, Any, JumpHandle] | None = None
        super().__init__("memory_compiler", PARAMETERS, **options)
        self._status = self.create_publisher(MemoryStatus, "~/status", STATUS)
        self._announce = self.create_publisher(MemoryCompiled, "memory_compiled", EVERY_ONE)
        self.create_service(
            CompileNow, "~/compile_now", self._compile_now, callback_group=ReentrantCallbackGroup()
        )

    def configure(self) -> None:
        """Take the store's compiler role, open the buffer, load the space."""
        values = self.parameters
        root = Path(values["store"]).expanduser() if values["store"] else store_root()
        cipher = store_cipher(values["store_key"])
        with ExitStack() as opened:
            store = opened.enter_context(MemoryStore(root, cipher=cipher))
            role = opened.enter_context(store.lock("compiler"))
            buffer = opened.enter_context(
                RollingBuffer(
                    root / "buffer.sqlite",
                    values["buffer_seconds"],
                    values["buffer_tokens"],
                    cipher=cipher,
                )
            )
            compiler = self._load(values, store, buffer)
            if compiler.succession is not None and compiler.succession.why:
                self.get_logger().info(compiler.succession.why)
            opened.pop_all()  # all is well: the workshop closes them
        self._compiled = self._dropped = self._oversize = self._failures = 0
        self._unsurprising = 0
        self._files = len(store)
        self._aged_before = buffer.statistics().aged_out  # by the buffer's whole life
        writer = BufferWriter(buffer, values["queue_size"], self.health)
        pending = buffer.pending()
        writer.waiting_since(pending[0].event.stamp if pending else None)
        self._shop = Workshop(store, role, buffer, compiler, writer, Jobs("compile", WAITING_CALLS))

    def activate(self) -> None:
        """Listen, and compile on schedule."""
        assert self._shop is not None
        writer, period = self._shop.writer, self.parameters["period_seconds"]
        subscription = self.create_subscription(
            ExperienceEvent, "experience", lambda event: writer.write(event), EVERY_ONE
        )
        # The node clock: under use_sim_time a day replayed at 4x compiles four times as often.
        timer = self.create_timer(period, self._schedule, MutuallyExclusiveCallbackGroup())
        backward = JumpThreshold(
            min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False
        )
        jumps = self.get_clock().create_jump_callback(
            backward, post_callback=lambda jump: writer.start_segment()
        )
        self._listening = (subscription, timer, jumps)

    def deactivate(self) -> None:
        """Stop listening and scheduling."""
        if self._listening is not None:
            subscription, timer, jumps = self._listening
            self._listening = None
            jumps.unregister()
            self.destroy_timer(timer)
            self.destroy_subscription(subscription)

    def release(self) -> None:
        """Finish the running compilation, write what is queued, give the store back."""
        with self._reading:
            shop, self._shop = self._shop, None
        if shop is not None:
            shop.close()

    def values(self) -> dict[str, object]:
        """Return what happened to events, and the token rate of every stream."""
        with self._reading:
            if self._shop is None:
                return {}
            held, rates = self._shop.buffer.statistics(), self._shop.buffer.token_rates()
            kept, queue = self._shop.writer.written, self._shop.writer.counters
        return {
            "events kept": kept,
            "waiting for the disk": queue.waiting,
            "refused for lack of room": queue.dropped,
            "waiting to be compiled": held.pending + held.claimed,
            "memories compiled": self._compiled,
            "events without news": self._dropped - self._unsurprising,
            "events without surprise": self._unsurprising,
            "events longer than max_word_pieces": self._oversize,
            "events aged out uncompiled": held.aged_out,
            "events received again": held.duplicates,
            "clock segments": held.segments,
            **{f"tokens/s {stream}": f"{rate:.2f}" for stream, rate in rates.items()},
        }

    def status(self) -> None:
        """Publish `~/status`."""
        message = MemoryStatus()
        message.header.stamp = self.get_clock().now().to_msg()
        with self._reading:
            if self._shop is not None:
                self._fill(message, self._shop)
        self._status.publish(message)

    def _fill(self, message: MemoryStatus, shop: Workshop) -> None:
        held = shop.buffer.statistics()
        message.buffer_events = held.pending + held.claimed
        message.buffer_tokens = held.tokens
        message.buffer_seconds = shop.writer.seconds
        message.tokens_per_second = float(sum(shop.buffer.token_rates().values()))
        message.events_total = shop.writer.written
        message.compiled_total = self._compiled
        message.dropped_total = self._dropped
        message.aged_out_total = held.aged_out - self._aged_before
        message.errors_total = self._failures + shop.writer.errors + shop.writer.counters.failed
        message.compile_ms = self._compile_ms
        message.files = self._files

    def _schedule(self) -> None:
        shop = self._shop
        if shop is not None:
            shop.jobs.try_start(lambda: self._compile_scheduled(shop))

    def _compile_scheduled(self, shop: Workshop) -> None:
        try:
            self._compile(shop, flush=False)
        except Exception as error:  # shown in /diagnostics; the next one tries again
            self.get_logger().error(f"compilation failed: {error}")

    def _compile_now(
        self, request: CompileNow.Request, response: CompileNow.Response
    ) -> CompileNow.Response:
        shop = self._shop
        if shop is None or not self.active:
            response.message = f"memory_compiler is {self.state}: activate it first"
            return response
        started = time.monotonic()
        try:
            report = shop.jobs.run(lambda: self._compile(shop, request.flush))
        except Exception as error:
            response.message = str(error)
            return response
        response.success = True
        response.ids = [memory.id for memory in report.memories]
        response.events, response.dropped = report.events, report.dropped
        response.compile_ms = (time.monotonic() - started) * 1000.0
        return response

    def _compile(self, shop: Workshop, flush: bool) -> CompileReport:
        """Compile in the job thread and announce the files."""
        shop.writer.settle(SETTLE_SECONDS)
        started = time.monotonic()
        try:
            report = shop.compiler.compile(self.get_clock().now().nanoseconds, flush)
        except Exception as error:
            self._failures += 1
            reason = explained(error, self.get_logger())
            self.health.fail("compile", f"cannot compile: {reason}")
            raise
        self.health.mend("compile")
        self._compile_ms = (time.monotonic() - started) * 1000.0
        self._compiled += len(report.memories)
        self._dropped += report.dropped
        self._unsurprising += report.unsurprising
        self._oversize += report.oversize
        self._files = len(shop.store)
        pending = shop.buffer.pending()
        shop.writer.waiting_since(pending[0].event.stamp if pending else None)
        for memory in report.memories:
            message = announcement(memory, shop.compiler.space.space_id)
            message.header.stamp = self.get_clock().now().to_msg()
            self._announce.publish(message)
        return report


def announcement(memory: CompiledMemory, space_id: str) -> MemoryCompiled:
    """Return what is published about a new file; no text of it."""
    origin = memory.provenance
    return MemoryCompiled(
        id=memory.id,
        space_id=space_id,
        counter=memory.counter,
        events=memory.events,
        start=to_stamp(origin.start_stamp),
        end=to_stamp(origin.end_stamp),
        streams=list(origin.streams),
        source=origin.source,
    )


def load_compiler(values: Parameters, store: MemoryStore, buffer: RollingBuffer) -> Compiler:
    """Load the trained space and passports; raise with the remedy if they are missing."""
    return Compiler.load(
        store,
        buffer,
        values["gap_seconds"],
        values["max_word_pieces"],
        values["max_events"],
        values["keep_text"],
        surprise=load_surprise(values, store),
        join_references=values["join_references"],
    )


def load_surprise(values: Parameters, store: MemoryStore) -> SurpriseMeter | None:
    """Load the language model and what it needs; None, and nothing, if all is remembered."""
    if values["surprise_budget"] >= 1.0:
        return None
    from universal_memory.runtime.prediction import load_meter  # takes seconds

    return load_meter(
        store,
        values["surprise_budget"],
        values["surprise_momentum"],
        values["surprise_decay_seconds"],
        values["model"],
    )


def main() -> int:
    """Run the node until it is told to stop."""
    return run(MemoryCompiler)


if __name__ == "__main__":
    sys.exit(main())
