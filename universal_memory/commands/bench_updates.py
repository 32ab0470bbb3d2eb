"""`ump bench updates`."""

from __future__ import annotations

from typing import Annotated

import typer

from universal_memory.commands.console import echo_table
from universal_memory.commands.figures import JsonFileOption, progress, share, write_figures


def updates(
    model: Annotated[str, typer.Option(help="On-robot model: packaged name or folder.")] = (
        "smollm2-135m"
    ),
    questions: Annotated[int, typer.Option(min=2, help="Things that change, of every split.")] = 60,
    split: Annotated[
        str, typer.Option(help="Of the corpus; several with commas.")
    ] = "new_combinations,held_out,unseen_families",
    seed: Annotated[int, typer.Option(help="Same seed, same texts and questions.")] = 20261130,
    batch: Annotated[int, typer.Option(min=1, help="Questions decoded at once.")] = 8,
    output: JsonFileOption = None,
) -> None:
    """Whether a later file that contradicts an earlier one is what the robot answers from."""
    splits = [name.strip() for name in split.split(",") if name.strip()]
    if not splits:
        raise typer.BadParameter(f"{split!r}: give names of splits, as held_out")
    from universal_memory.benchmarks.recall import fresh_answerer
    from universal_memory.benchmarks.updates import EARLIER, LATER, NEITHER
    from universal_memory.benchmarks.updates import updates as measure

    figures = []
    with progress() as advance:
        for name in splits:
            with fresh_answerer(model) as answerer:
                if why := answerer.succession.why:
                    raise typer.BadParameter(why)
                figures.append(measure(answerer, questions, name, seed, batch, advance))
    typer.echo(f"{model}, {questions} things that change a split, seed {seed}")
    echo_table(
        ["split", "", "questions", "later", "earlier", "neither"],
        [
            (
                one["split"], row["kind"], row["questions"],
                *(share(row[name]) for name in (LATER, EARLIER, NEITHER)),
            )
            for one in figures
            for row in one["rows"]
        ],
    )  # fmt: skip
    typer.echo()
    echo_table(
        ["split", "files", "both found", "marked", "wrong marks", "of pairs", "a 1,000", "lost"],
        [
            (
                one["split"], one["files"], share(one["both_found"]), share(one["marked"]),
                one["wrong_marks"], one["compared"],
                f"{1000 * one['wrong_marks'] / max(1, one['compared']):.2f}", one["lost"],
            )
            for one in figures
        ],
    )  # fmt: skip
    write_figures(output, {"model": model, "seed": seed, "splits": figures})
