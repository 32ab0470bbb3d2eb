"""`ump bench surprise`: what is recalled when only the surprising half is remembered."""

from __future__ import annotations

from typing import Annotated

import typer

from universal_memory.commands.console import echo_table
from universal_memory.commands.figures import JsonFileOption, progress, share, write_figures


def surprise(
    model: Annotated[str, typer.Option(help="Packaged name or folder.")] = "smollm2-135m",
    news: Annotated[
        int, typer.Option(min=5, help="Facts to ask for; there is as much routine.")
    ] = 60,
    stream: Annotated[
        str, typer.Option(help="The other half: routine, or trivial (new, and never asked for).")
    ] = "routine",
    budget: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Share of the files that may stay.")
    ] = 0.5,
    momentum: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="Of the rows that have one.")
    ] = 0.5,
    run: Annotated[
        int, typer.Option(min=1, help="What matters comes in runs of so many, in two rows.")
    ] = 4,
    chances: Annotated[int, typer.Option(min=1, help="Random choices to average.")] = 5,
    split: Annotated[
        str, typer.Option(help="Of the corpus: new_combinations or held_out.")
    ] = "new_combinations",
    seed: Annotated[int, typer.Option(help="Same seed, same texts and questions.")] = 20261122,
    batch: Annotated[int, typer.Option(min=1, help="Questions decoded at once.")] = 8,
    output: JsonFileOption = None,
) -> None:
    """Recall of what matters with half of the files: by surprise, by chance, the newest."""
    from universal_memory.benchmarks.recall import fresh_answerer
    from universal_memory.benchmarks.surprise import surprise as measure
    from universal_memory.benchmarks.surprise_stream import IMPORTANT

    with fresh_answerer(model) as answerer, progress() as advance:
        figures = measure(
            answerer, news, split, seed, stream, budget, momentum, run, chances, batch, advance
        )
    moments = ", ".join(f"{count} {kind}" for kind, count in figures["moments"].items())
    typer.echo(
        f"{model}, split {split}, seed {seed}, budget {budget}: {moments};"
        f" {figures['known']} files known before"
    )
    kept = {row["remembered"]: row for row in figures["kept"]}
    kinds = list(figures["moments"])
    echo_table(
        ["remembered", "files", "exact", "least / most", "contains", *kinds],
        [
            (
                row["remembered"], f"{row['files']:.0f}", share(row["exact_match"]),
                f"{row['least']:.3f} / {row['most']:.3f}" if "least" in row else "",
                share(row["containment"]),
                *(share(kept.get(row["remembered"], {}).get(kind)) for kind in kinds),
            )
            for row in figures["rows"]
        ],
    )  # fmt: skip
    typer.echo()
    echo_table(
        ["tells from the other half (area under ROC)", *IMPORTANT],
        [
            (row["candidate"], *(share(row[kind]) for kind in IMPORTANT))
            for row in figures["telling"]
        ],
    )
    write_figures(
        output,
        {
            "model": model, "split": split, "seed": seed, "stream": stream, "budget": budget,
            "momentum": momentum, "run": run, **figures,
        },
    )  # fmt: skip
