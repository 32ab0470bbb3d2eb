"""`ump bench alignment`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from universal_memory.commands.console import echo_table
from universal_memory.commands.figures import JsonFileOption, progress, share, write_figures


def alignment(
    models: Annotated[
        str, typer.Option(help="Language models whose hidden states are views, beside MiniLM's.")
    ] = "smollm2-135m,gemma3-270m",
    texts: Annotated[int, typer.Option(min=40, help="Episodes of unseen words.")] = 512,
    space: Annotated[
        list[Path] | None,
        typer.Option(help="Models folder whose space is measured; may be given several times."),
    ] = None,
    output: JsonFileOption = None,
) -> None:
    """Whether other models would agree with the space about what is near what."""
    from universal_memory.benchmarks.alignment import alignment as measure

    names = [name.strip() for name in models.split(",") if name.strip()]
    with progress() as advance:
        figures = measure(names, texts, space or [], advance)
    typer.echo(
        f"{figures['texts']} texts, split {figures['split']}, seed {figures['seed']};"
        " in brackets: of shuffled pairs"
    )
    measures = ("neighbours", "cka", "there", "back")
    echo_table(
        ["of", "with", f"same {figures['neighbours']} nearest", "CKA", "found there", "found back"],
        [
            (
                row["of"],
                row["with"],
                *(f"{share(row[name])} ({share(row['shuffled'][name])})" for name in measures),
            )
            for row in figures["rows"]
        ],
    )
    write_figures(output, figures)
