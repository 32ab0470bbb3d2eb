"""`ump memory inspect`: all that can be told of one memory file."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
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
from universal_memory.commands.origins import NANOSECONDS, echo_origins, origin_of
from universal_memory.encryption import store_cipher
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.store import MemoryStore
from universal_memory.resources import models_dir
from universal_memory.routing.index import PassportIndex

LIKE, NEAR = 3, 5
READ = (
    "A reader of the space recovers these words from the vectors: a memory file holds no text, but"
    " it hides none either."
)


class OtherSpace(RuntimeError):
    """The memory is of a space that is not installed here."""


def inspect(
    memory_id: Annotated[str, typer.Argument(help="Memory id, or its first digits (4+).")],
    answers: Annotated[
        bool, typer.Option("--answers", help="What it answers alone (loads the language model).")
    ] = False,
    ask: Annotated[
        list[str] | None,
        typer.Option(help="As --answers, with this question; may be given several times."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="With --answers or --ask: on-robot language model.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one memory: the file, where it came from, the words in it, what is like it.

    Norms of the slots; word pieces that the space's reader finds in their seats; nearest labelled
    probes (mean cosine of slots); nearest memories of the store (cosine of passports).
    """
    with MemoryStore(root_of(store), read_only=True, cipher=store_cipher()) as memories:
        memory_id = memories.resolve(memory_id)
        file, path = memories.get(memory_id), memories.path_of(memory_id)
        shown: dict[str, Any] = {
            "id": file.id,
            "path": str(path),
            "bytes": path.stat().st_size,
            "space_id": file.space_id,
            "counter": file.counter,
            "signed_by": file.key_id or None,
            "slot_norms": [round(float(norm), 3) for norm in np.linalg.norm(file.usv, axis=1)],
            "provenance": origin_of(memories.record(memory_id)),
            "superseded_by": memories.marks.by_superseded().get(memory_id, []),
            "near": _near(memories, file),
            **_read(file),
            "answers": _answers(memories, file, ask, model) if answers or ask else None,
        }
    if as_json:
        echo_json(shown)
    else:
        _show(shown)


def _near(memories: MemoryStore, file: MemoryFile) -> list[dict[str, Any]]:
    from universal_memory.runtime.inspection import neighbours

    near = neighbours(PassportIndex.open(memories), file, NEAR)
    return [
        {"id": other, "cosine": cosine, "provenance": origin_of(memories.record(other))}
        for other, cosine in near
    ]


def _read(file: MemoryFile) -> dict[str, Any]:
    """What the installed space reads; `unread`: why it does not."""
    unread = _unread(file)
    if unread:
        return {"words": None, "pieces": None, "like": None, "unread": unread}
    from universal_memory.space.probes import Probes
    from universal_memory.space.seated import seated_pieces, text_of
    from universal_memory.space.semantic_space import SemanticSpace

    space = SemanticSpace.load()
    pieces = seated_pieces(space, file.usv)
    return {
        "words": text_of(pieces),
        "pieces": [asdict(piece) | {"slot": piece.slot} for piece in pieces],
        "like": [asdict(one) for one in Probes(space).nearest(file.usv, LIKE)],
        "unread": None,
    }


def _unread(file: MemoryFile) -> str:
    """Why the installed space cannot read a file, "" if it can."""
    from universal_memory.runtime.renderer_check import installed_space_id

    try:
        installed = installed_space_id(models_dir())
    except (FileNotFoundError, ValueError) as error:
        return str(error)
    if installed != file.space_id:
        return f"the space here is {installed}, the memory's {file.space_id}"
    return ""


def _answers(
    memories: MemoryStore, file: MemoryFile, ask: list[str] | None, model: str | None
) -> list[dict[str, Any]]:
    if unread := _unread(file):
        raise OtherSpace(
            f"memory {file.id[:12]} cannot be asked: {unread}; remedy: set UMP_MODELS to the models"
            " of its space"
        )
    from universal_memory.runtime.answerer import Answerer
    from universal_memory.runtime.inspection import QUESTIONS, replies
    from universal_memory.runtime.language_model import DEFAULT_MODEL

    answerer = Answerer.load(memories, model or DEFAULT_MODEL)
    return [asdict(reply) for reply in replies(answerer, file.id, ask or QUESTIONS)]


def _show(shown: dict[str, Any]) -> None:
    origin = shown["provenance"] or {}
    fields = {
        **{name: shown[name] for name in ("id", "path", "bytes", "space_id", "counter")},
        "signed_by": shown["signed_by"],
        "compiled": stamp_text(origin.get("compiled_stamp", 0)),
        "pose": origin.get("pose"),
        "superseded by": ", ".join(one[:12] for one in shown["superseded_by"]) or None,
    }
    echo_table(("field", "value"), [(n, "-" if v is None else v) for n, v in fields.items()])
    typer.echo()
    echo_origins([(shown["id"], shown["provenance"])])
    typer.echo()
    pieces: dict[int, list[str]] = {}
    for piece in shown["pieces"] or ():
        pieces.setdefault(piece["slot"], []).append(piece["text"])
    echo_table(
        ("slot", "norm", "words in its seats"),
        [
            (slot, f"{norm:.3f}", "  ".join(pieces.get(slot, ())) or "-")
            for slot, norm in enumerate(shown["slot_norms"])
        ],
    )
    typer.echo()
    if shown["unread"]:
        typer.echo(f"words not read: {printable(shown['unread'])}")
    else:
        typer.echo(f"{READ}\n\n    {printable(shown['words'])}\n")
        echo_table(
            ("like", "cosine", "probe"),
            [(one["label"], f"{one['cosine']:.3f}", one["text"]) for one in shown["like"]],
        )
    _show_near(shown["near"])
    if shown["answers"] is not None:
        typer.echo()
        echo_table(
            ("asked alone", "answer", "relevance"),
            [
                (one["question"], one["answer"] or "-", f"{one['relevance']:.4f}")
                for one in shown["answers"]
            ],
        )


def _show_near(near: list[dict[str, Any]]) -> None:
    if not near:
        return
    typer.echo()
    echo_table(
        ("near", "cosine", "source", "header seconds"),
        [
            (one["id"][:12], f"{one['cosine']:.3f}", *_where(one["provenance"] or {}))
            for one in near
        ],
    )


def _where(origin: dict[str, Any]) -> tuple[str, str]:
    start = origin.get("start_stamp", 0)
    return origin.get("source") or "-", f"{start / NANOSECONDS:.3f}" if start else "-"
