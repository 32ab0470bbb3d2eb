"""`ump bench sleep`: what is recalled before and after files were merged into fewer."""

from __future__ import annotations

from typing import Annotated

import typer

from universal_memory.commands.console import echo_table
from universal_memory.commands.figures import JsonFileOption, progress, share, write_figures


def sleep(
    model: Annotated[str, typer.Option(help="Packaged name or folder.")] = "smollm2-135m",
    files: Annotated[int, typer.Option(min=4, help="Files of one fact, a question each.")] = 60,
    group: Annotated[int, typer.Option(min=2, help="Most files that become one.")] = 4,
    split: Annotated[
        str, typer.Option(help="Of the corpus: new_combinations, held_out or unseen_families.")
    ] = "new_combinations",
    seed: Annotated[int, typer.Option(help="Same seed, same texts and questions.")] = 20261122,
    batch: Annotated[int, typer.Option(min=1, help="Questions decoded at once.")] = 8,
    output: JsonFileOption = None,
) -> None:
    """Recall before and after `ump memory consolidate`, with its controls, in one run.

    The learned merger is among them where `ump train merger` has written it.
    """
    from universal_memory.benchmarks.recall import fresh_answerer
    from universal_memory.benchmarks.sleep import EXACT, LEARNED
    from universal_memory.benchmarks.sleep import sleep as measure
    from universal_memory.resources import models_dir
    from universal_memory.runtime.consolidation import Merger
    from universal_memory.space.merging import WEIGHTS, SeatMerger, SlotMerger

    with fresh_answerer(model) as answerer, progress() as advance:
        mergers: dict[str, Merger] = {EXACT: SeatMerger(answerer.space)}
        if (models_dir() / WEIGHTS).is_file():  # of `ump train merger`
            mergers[LEARNED] = SlotMerger.load(answerer.space)
        figures = measure(answerer, mergers, files, group, split, seed, batch, advance)
    typer.echo(f"{model}, {files} files of one fact, split {split}, seed {seed}")
    echo_table(
        ["store", "mode", "files", "ratio", "kB", "exact", "contains", "own on",
         "route / load / render ms", "merge ms a file"],
        [
            (
                row["state"], row["mode"], row["files"], f"{row['ratio']:.2f}",
                f"{row['bytes'] / 1000:.0f}", share(row["exact_match"]), share(row["containment"]),
                share(row["own_on"]),
                " / ".join(f"{row[name]:.1f}" for name in ("route_ms", "load_ms", "render_ms")),
                "-" if row["merge_ms"] is None else f"{row['merge_ms']:.0f}",
            )
            for row in figures["rows"]
        ],
    )  # fmt: skip
    for state, points in figures["lost"].items():
        typer.echo(f"{state}: {points:.1f} points of exact match lost")
    for reason, count in figures["left"].items():
        typer.echo(f"{count} files left alone: {reason}")
    write_figures(
        output, {"model": model, "split": split, "seed": seed, "batch": batch, **figures}
    )
