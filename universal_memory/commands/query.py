"""`ump query`: one question, to the running robot, or with --offline to a store without ROS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from universal_memory.commands.console import (
    JsonOption,
    StoreOption,
    echo_json,
    echo_table,
    printable,
    root_of,
    stamp_text,
)
from universal_memory.commands.window import (
    AfterOption,
    BeforeOption,
    FrameOption,
    NearOption,
    RadiusOption,
    window_of,
)

if TYPE_CHECKING:
    from universal_memory.experience.event import Event
    from universal_memory.memory.store import MemoryStore

app = typer.Typer(add_completion=False)

MAX_QUESTION = 2000  # as QueryMemory.srv says
STAGES = ("route", "load", "render", "generate")
STAMPS = ("compiled_stamp", "start_stamp", "end_stamp")  # of a file that was used


class QueryRefused(RuntimeError):
    """The robot did not answer; the message is its own."""


@app.command()
def query(
    question: Annotated[str, typer.Argument(help="One question in plain words.")],
    speaker: Annotated[str, typer.Option(help='Who asks: "my tea" is then this person\'s.')] = "",
    top_k: Annotated[
        int | None, typer.Option(min=1, max=16, help="Most memory files to fuse.")
    ] = None,
    min_relevance: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Ignore files below this probability.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Most tokens of the answer.")
    ] = None,
    unknown_answer: Annotated[
        str | None,
        typer.Option(help='Said where nothing relevant is known; " ": the base model answers.'),
    ] = None,
    after: AfterOption = None,
    before: BeforeOption = None,
    near: NearOption = None,
    radius: RadiusOption = None,
    frame: FrameOption = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Ask the store itself; no node, no ROS.")
    ] = False,
    store: StoreOption = None,
    model: Annotated[
        str | None, typer.Option(help="With --offline: on-robot language model.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Namespace of the robot's nodes.")] = "",
    timeout: Annotated[float, typer.Option(min=1.0, help="Longest wait, in seconds.")] = 60.0,
    as_json: JsonOption = False,
) -> None:
    """Ask the robot a question.

    What is not given is as the server's parameters say. The answer's source is COMPILED (memory
    files, rendered into weights), FRESH (text of events not compiled yet), BASE (the untouched base
    model: nothing relevant is known) or UNKNOWN (nothing relevant is known, and --unknown-answer or
    the server's parameter is what is said then). Of each file used, `cosine` tells how like another
    one used it is, and `conflict` the share of the others in what is written where it fires.

    Memories of other robots carry no time and no place: --after, --before and --near pass them by.
    """
    require_question(question)
    if not offline and (store is not None or model is not None):
        raise typer.BadParameter(
            "--store and --model are the running server's own: leave them out, or add --offline"
        )
    given = {
        "top_k": top_k,
        "min_relevance": min_relevance,
        "max_tokens": max_tokens,
        "unknown_answer": unknown_answer,
        "window": window_of(after, before, near, radius, frame),
    }
    options = {name: value for name, value in given.items() if value is not None}
    if offline:
        result = _ask_store(root_of(store), model, question, speaker, options)
    else:
        result = _ask_robot(namespace, timeout, question, speaker, options)
    if as_json:
        echo_json(result)
    else:
        _show(result)


def require_question(question: str) -> None:
    """A usage error for what is no question."""
    if not question.strip():
        raise typer.BadParameter("the question is empty: ask something")
    if len(question) > MAX_QUESTION:
        raise typer.BadParameter(
            f"the question has {len(question)} characters: ask with at most {MAX_QUESTION}"
        )


def _ask_robot(
    namespace: str, timeout: float, question: str, speaker: str, options: dict[str, Any]
) -> dict[str, Any]:
    from universal_memory.commands.robot import connect

    with connect(namespace, "ask the store itself with --offline") as client:
        response = client.ask(question, speaker, timeout=timeout, **options)
    if not response.success:
        raise QueryRefused(f"memory_server did not answer: {response.message}")
    return {
        "answer": response.answer,
        "source": response.source,
        "memories": [
            {
                "id": hit.id,
                "relevance": hit.relevance,
                "gate": hit.gate,
                "cosine": hit.cosine,
                "conflict": hit.conflict,
                **{
                    name: (stamp := getattr(hit, name)).sec * 10**9 + stamp.nanosec
                    for name in STAMPS
                },
            }
            for hit in response.memories
        ],
        "milliseconds": {stage: getattr(response, f"{stage}_ms") for stage in STAGES},
        "prompt_tokens": response.prompt_tokens,
    }


def _ask_store(
    root: Path, model: str | None, question: str, speaker: str, options: dict[str, Any]
) -> dict[str, Any]:
    from universal_memory.encryption import store_cipher
    from universal_memory.memory.store import MemoryStore

    # Read-only: beside a running server, and on a copy of another robot's store, nothing changes.
    with MemoryStore(root, read_only=True, cipher=store_cipher()) as memories:
        from universal_memory.runtime.answerer import Answerer
        from universal_memory.runtime.language_model import DEFAULT_MODEL

        answerer = Answerer.load(memories, model or DEFAULT_MODEL)
        fresh = waiting_events(memories)
        answer = answerer.answer(question, speaker, fresh=fresh, **options)
    return {
        "answer": answer.answer,
        "source": answer.source,
        "memories": [
            {
                "id": hit.id,
                "relevance": hit.relevance,
                "gate": hit.gate,
                "cosine": hit.cosine,
                "conflict": hit.conflict,
                **{name: getattr(hit, name) for name in STAMPS},
            }
            for hit in answer.hits
        ],
        "milliseconds": {stage: getattr(answer, f"{stage}_ms") for stage in STAGES},
        "prompt_tokens": answer.prompt_tokens,
    }


def waiting_events(memories: MemoryStore) -> list[Event]:
    """The fresh window of a store: events that are in no file yet, oldest first."""
    from universal_memory.experience.buffer import RollingBuffer

    path = memories.root / "buffer.sqlite"
    if not path.is_file():
        return []
    with RollingBuffer(path, read_only=True, cipher=memories.cipher) as buffer:
        return [row.event for row in buffer.window()]


def _show(result: dict[str, Any]) -> None:
    typer.echo(printable(result["answer"]))
    typer.echo()
    times = ", ".join(f"{stage} {result['milliseconds'][stage]:.1f}" for stage in STAGES)
    typer.echo(f"source {result['source']}, {result['prompt_tokens']} prompt tokens")
    typer.echo(f"milliseconds: {times}")
    if result["memories"]:
        echo_table(
            ("file", "relevance", "gate", "cosine", "conflict", "compiled", "experienced"),
            [
                (
                    hit["id"][:12],
                    f"{hit['relevance']:.2f}",
                    f"{hit['gate']:.2f}",
                    f"{hit['cosine']:.2f}",
                    f"{hit['conflict']:.2f}",
                    stamp_text(hit["compiled_stamp"]),
                    stamp_text(hit["start_stamp"]),
                )
                for hit in result["memories"]
            ],
        )
