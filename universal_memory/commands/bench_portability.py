"""`ump bench portability`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from universal_memory.commands.console import echo_table
from universal_memory.commands.figures import JsonFileOption, progress, share, write_figures


def portability(
    models: Annotated[
        str, typer.Option(help="Models, comma-separated; the others are compared with the first.")
    ] = "smollm2-135m,gemma3-270m",
    questions: Annotated[int, typer.Option(min=1, help="Questions of every set.")] = 60,
    fused_questions: Annotated[
        int, typer.Option(min=1, help="Questions of every kind of fusion.")
    ] = 32,
    controls: Annotated[
        str, typer.Option(help="Which controls, comma-separated; the last two read text.")
    ] = "shuffled,none,context,rag",
    seed: Annotated[int, typer.Option(help="Same seed, same texts and questions.")] = 20261122,
    batch: Annotated[int, typer.Option(min=1, help="Questions decoded at once.")] = 8,
    output: JsonFileOption = None,
) -> None:
    """Recall of several models from the very same memory files, and what of it is carried over."""
    from universal_memory.benchmarks.portability import RECALL, contained
    from universal_memory.benchmarks.portability import portability as measure
    from universal_memory.training.model_card import machine

    names, asked = (
        [name.strip() for name in given.split(",") if name.strip()] for given in (models, controls)
    )
    with progress() as advance:
        figures = measure(
            names, questions, fused_questions, batch, seed, controls=asked, advance=advance
        )
    typer.echo(
        f"{', '.join(names)}, {machine()}, {figures['files']} files of space"
        f" {figures['space_id']} (ids {figures['files_digest'][:12]}), {questions} questions a set,"
        f" {fused_questions} a kind of fusion, seed {seed}"
    )
    for mode in RECALL:
        heads = [mode, *names, *(f"ratio {name}" for name in names[1:])]
        rows = [
            [
                row["set"],
                *(share(row["scores"][name].get(mode)) for name in names),
                *(share(row["ratios"][name].get(mode)) for name in names[1:]),
            ]
            for row in _asked(figures, mode)
        ]
        echo_table(heads, rows)
        typer.echo()
    columns = [(mode, name) for mode in asked for name in names]
    rows = [
        [
            row["set"],
            *(
                f"{share(scores[mode])} ({share(scores[contained(mode)])})"
                for mode, name in columns
                for scores in [row["scores"][name]]
            ),
        ]
        for row in _asked(figures, asked[0])
    ]
    echo_table(["controls (contained)", *(f"{mode}, {name}" for mode, name in columns)], rows)
    write_figures(output, {"machine": machine(), **figures})


def _asked(figures: dict[str, Any], mode: str) -> list[dict[str, Any]]:
    """Rows of the sets that were asked in a mode."""
    return [row for row in figures["rows"] if mode in next(iter(row["scores"].values()))]
