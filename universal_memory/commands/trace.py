"""`ump trace`: an answer followed back to the files, their words, and the seconds of the bag."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from universal_memory.commands.console import StoreOption, echo_table, printable, root_of
from universal_memory.commands.figures import JsonFileOption, write_figures
from universal_memory.commands.origins import echo_origins, origin_of
from universal_memory.commands.query import require_question, waiting_events

if TYPE_CHECKING:
    from universal_memory.runtime.anatomy import Anatomy
    from universal_memory.runtime.trace import Candidate, Trace

app = typer.Typer(add_completion=False)

SHOWN_CANDIDATES = 5


class NothingToDraw(RuntimeError):
    """The answer is of no memory file."""


@app.command()
def trace(
    question: Annotated[str, typer.Argument(help="One question in plain words.")],
    speaker: Annotated[str, typer.Option(help='Who asks: "my tea" is then this person\'s.')] = "",
    top_k: Annotated[int, typer.Option(min=1, max=16, help="Most memory files to fuse.")] = 3,
    min_relevance: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Ignore files below this probability.")
    ] = 0.5,
    max_tokens: Annotated[
        int, typer.Option(min=1, max=1024, help="Most tokens of the answer.")
    ] = 32,
    rows: Annotated[int, typer.Option(min=1, help="Word pieces shown, the strongest.")] = 8,
    png: Annotated[Path | None, typer.Option(help="Write a heat map here.")] = None,
    store: StoreOption = None,
    model: Annotated[str | None, typer.Option(help="On-robot language model.")] = None,
    output: JsonFileOption = None,
) -> None:
    """Follow an answer to the memory files, and to the seconds of the bag, that it came from.

    Asks the store itself, as `ump query --offline` does, and changes nothing. Shown are: the files
    that were looked at and why they were left out; each token said, its probability, and the one it
    would have had without the files; which word of which slot of which file said it, in nats that
    were added to its logit, and the layer that did the most; where the files are from.
    """
    require_question(question)
    root = root_of(store)
    from universal_memory.encryption import store_cipher
    from universal_memory.memory.store import MemoryStore

    with MemoryStore(root, read_only=True, cipher=store_cipher()) as memories:
        from universal_memory.runtime.answerer import Answerer
        from universal_memory.runtime.language_model import DEFAULT_MODEL
        from universal_memory.runtime.trace import trace as follow

        answerer = Answerer.load(memories, model or DEFAULT_MODEL)
        fresh = waiting_events(memories)
        found = follow(answerer, question, speaker, top_k, min_relevance, max_tokens, fresh)
        used = [one.id for one in found.candidates if one.gate]
        origins = {memory_id: origin_of(memories.record(memory_id)) for memory_id in used}
    _show(found, origins, rows)
    write_figures(output, _figures(found, origins))
    if png is not None:
        _draw(found, png)


def _show(found: Trace, origins: dict[str, Any], rows: int) -> None:
    typer.echo(f"{printable(found.answer)}\n\nsource {found.source}\n")
    echo_table(
        ("file", "cosine", "relevance", "gate", "left out"),
        [_candidate_cells(one) for one in found.candidates[:SHOWN_CANDIDATES]],
    )
    if found.anatomy is None:
        typer.echo("\nno memory file had a part in this answer")
        return
    typer.echo()
    _show_anatomy(found.anatomy, rows)
    typer.echo()
    echo_origins(origins.items())


def _candidate_cells(one: Candidate) -> tuple[str, ...]:
    return (
        one.id[:12],
        f"{one.cosine:.2f}",
        f"{one.relevance:.4f}",
        f"{one.gate:.2f}",
        one.left_out or "-",
    )


def _show_anatomy(anatomy: Anatomy, rows: int) -> None:
    echo_table(
        ("said", "probability", "without files", "by files", "by manner"),
        [
            (repr(token), f"{p:.3f}", f"{without:.3f}", f"{files:+.1f}", f"{manner:+.1f}")
            for token, p, without, files, manner in zip(
                anatomy.tokens, anatomy.probability, anatomy.without,
                anatomy.effect.sum((1, 2)), anatomy.manner.sum(1), strict=True,
            )
        ],
    )  # fmt: skip
    typer.echo()
    echo_table(
        ("said", "nats", "most in layer", "fired there", "file", "slot", "word piece", "open"),
        [
            (
                repr(anatomy.tokens[one.token]), f"{one.effect:+.1f}", one.layer,
                f"{one.fired:+.0f}", one.rank.memory_id[:12], one.rank.slot, one.rank.word,
                f"{one.rank.gate:.2f}",
            )
            for one in anatomy.firings(rows)
        ],
    )  # fmt: skip


def _figures(found: Trace, origins: dict[str, Any]) -> dict[str, Any]:
    """Everything, `fired` and `effect` as lists: tokens, in them layers, in them ranks."""
    anatomy = found.anatomy
    return {
        "question": found.question,
        "answer": found.answer,
        "source": found.source,
        "candidates": [asdict(one) for one in found.candidates],
        "origins": origins,
        "anatomy": None
        if anatomy is None
        else {
            "tokens": anatomy.tokens,
            "layers": anatomy.layers,
            "ranks": [asdict(rank) | {"slot": rank.slot} for rank in anatomy.ranks],
            **{
                name: getattr(anatomy, name).tolist()
                for name in ("probability", "without", "fired", "effect", "manner")
            },
        },
    }


def _draw(found: Trace, path: Path) -> None:
    from universal_memory.runtime.heat_map import save

    if found.anatomy is None:
        raise NothingToDraw(
            f"no memory file had a part in the answer (source {found.source}): there is nothing to"
            " draw; remedy: lower --min-relevance to see what a file would have said"
        )
    save(found.anatomy, f"{found.question} {found.answer}", path)
    typer.echo(f"\nheat map written to {path}")
