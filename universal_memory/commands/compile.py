"""`ump compile`: experience becomes memory files, here and without ROS, or in a running robot."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from universal_memory.commands.console import (
    JsonOption,
    StoreOption,
    echo_json,
    echo_table,
    root_of,
    stamp_text,
)
from universal_memory.encryption import store_cipher
from universal_memory.experience.episode import MAX_EVENTS
from universal_memory.experience.event import Event
from universal_memory.experience.log import read_log
from universal_memory.memory.errors import StoreLocked

app = typer.Typer(add_completion=False)

BUFFER = "buffer.sqlite"
# A log may hold months, and all of it is compiled now: nothing ages out on the way.
CENTURY_SECONDS = 3.2e9
ALL_TOKENS = 2**62


class CompilationRefused(RuntimeError):
    """The running compiler said no; the message is its own."""


@app.command("compile")
def compile_experience(
    log: Annotated[
        Path | None,
        typer.Argument(help='JSON lines {"t", "stream", "text"}, or plain text, a line an event.'),
    ] = None,
    store: StoreOption = None,
    now: Annotated[
        bool, typer.Option("--now", help="Tell the running memory_compiler to compile now.")
    ] = False,
    flush: Annotated[
        bool, typer.Option(help="Also compile the last episode, which might still go on.")
    ] = True,
    gap_seconds: Annotated[
        float,
        typer.Option(min=0.5, max=3600.0, help="A pause of this many seconds ends an episode."),
    ] = 20.0,
    max_word_pieces: Annotated[
        int, typer.Option(min=8, max=126, help="Most word pieces of an episode.")
    ] = 64,
    max_events: Annotated[
        int, typer.Option(min=1, max=64, help="Most events of an episode.")
    ] = MAX_EVENTS,
    join_references: Annotated[
        bool,
        typer.Option(help="With --max-events 1: compile 'She left.' with what it refers back to."),
    ] = True,
    keep_text: Annotated[
        bool, typer.Option(help="Keep the text in the local ledger (never in a file).")
    ] = True,
    budget: Annotated[
        float,
        typer.Option(
            min=0.01, max=1.0, help="Share of the episodes to remember: the most surprising."
        ),
    ] = 1.0,
    momentum: Annotated[
        float,
        typer.Option(
            min=0.0, max=0.99, help="Share of a surprise that goes on to the stream's next episode."
        ),
    ] = 0.0,
    model: Annotated[
        str, typer.Option(help="With --budget: the language model that is surprised.")
    ] = "smollm2-135m",
    namespace: Annotated[str, typer.Option(help="With --now: namespace of the nodes.")] = "",
    timeout: Annotated[
        float, typer.Option(min=1.0, help="With --now: longest wait, in seconds.")
    ] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Turn recorded experience into memory files.

    With LOG its events, and in any case what waits in the store's rolling buffer, without ROS. The
    same log again compiles nothing: an event becomes a memory once.
    """
    if now and (log is not None or store is not None):
        raise typer.BadParameter(
            "--now is for the running compiler's own store: leave LOG and --store out"
        )
    if log is not None and log.is_dir():
        raise typer.BadParameter(
            f"{log} is a folder; a bag is compiled by replaying it to the nodes: "
            "`ump up --sim-time` and `ump replay BAG`"
        )
    if now:
        result = _compile_in_robot(namespace, flush, timeout)
    else:
        events = read_log(log) if log is not None else []
        result = _compile_here(
            root_of(store), events, flush, gap_seconds, max_word_pieces, max_events,
            join_references, keep_text, budget, momentum, model,
        )  # fmt: skip
    if as_json:
        echo_json(result)
        return
    if memories := result["memories"]:
        echo_table(
            ("memory", "events", "from", "to", "streams"),
            [
                (
                    row["id"][:12],
                    row.get("events", "-"),
                    stamp_text(row.get("start_stamp", 0)),
                    stamp_text(row.get("end_stamp", 0)),
                    ", ".join(row.get("streams", ())) or "-",
                )
                for row in memories
            ],
        )
    typer.echo(_summary(result))


def _compile_here(
    root: Path,
    events: list[Event],
    flush: bool,
    gap_seconds: float,
    max_word_pieces: int,
    max_events: int,
    join_references: bool,
    keep_text: bool,
    budget: float,
    momentum: float,
    model: str,
) -> dict[str, Any]:
    if not events and not (root / BUFFER).is_file():
        return {"memories": [], "events": 0, "dropped": 0, "waiting": 0, "compile_ms": 0.0}

    from universal_memory.experience.buffer import RollingBuffer
    from universal_memory.memory.store import MemoryStore
    from universal_memory.routing.index import PassportIndex
    from universal_memory.runtime.compiler import Compiler

    with ExitStack() as opened:
        store = opened.enter_context(MemoryStore(root, cipher=store_cipher()))
        try:
            opened.enter_context(store.lock("compiler"))
        except StoreLocked as error:
            raise StoreLocked(f"{error}; or let it compile with `ump compile --now`") from error
        buffer = opened.enter_context(
            RollingBuffer(root / BUFFER, CENTURY_SECONDS, ALL_TOKENS, cipher=store.cipher)
        )
        surprise = None
        if budget < 1.0:
            from universal_memory.runtime.prediction import load_meter

            surprise = load_meter(store, budget, momentum, model=model)
        compiler = Compiler.load(
            store, buffer, gap_seconds, max_word_pieces, max_events, keep_text, surprise=surprise,
            join_references=join_references,
        )  # fmt: skip
        for event in events:
            buffer.append(replace(event, tokens=compiler.space.tower.token_ids(event.text)))
        started = time.monotonic()
        # No node, no node clock: files compiled here are stamped with the machine's time.
        report = compiler.compile(time.time_ns(), flush)
        took = (time.monotonic() - started) * 1000.0
        waiting = len(buffer.pending())
        PassportIndex.open(store)
    return {
        "memories": [
            {
                "id": memory.id,
                "counter": memory.counter,
                "events": memory.events,
                "start_stamp": memory.provenance.start_stamp,
                "end_stamp": memory.provenance.end_stamp,
                "streams": list(memory.provenance.streams),
                "source": memory.provenance.source,
            }
            for memory in report.memories
        ],
        "events": report.events,
        "dropped": report.dropped,
        "unsurprising": report.unsurprising,
        "waiting": waiting,
        "compile_ms": took,
    }


def _compile_in_robot(namespace: str, flush: bool, timeout: float) -> dict[str, Any]:
    from universal_memory.commands.robot import connect

    with connect(namespace, "leave --now out to compile a store without ROS") as client:
        response = client.compile_now(flush, timeout)
    if not response.success:
        raise CompilationRefused(f"memory_compiler did not compile: {response.message}")
    return {
        "memories": [{"id": memory_id} for memory_id in response.ids],
        "events": response.events,
        "dropped": response.dropped,
        "compile_ms": response.compile_ms,
    }


def _summary(result: dict[str, Any]) -> str:
    parts = [
        f"{result['events']} events settled: {len(result['memories'])} memories, "
        f"{result['dropped'] - result.get('unsurprising', 0)} events without news"
    ]
    if unsurprising := result.get("unsurprising"):
        parts.append(f"{unsurprising} events without surprise")
    if waiting := result.get("waiting"):
        parts.append(f"{waiting} wait for their episode to end (--flush compiles them)")
    return f"{', '.join(parts)}; {result['compile_ms']:.0f} ms"
