"""`ump bench routing` and `ump bench passports`."""

from __future__ import annotations

from typing import Annotated

import typer

from universal_memory.commands.console import echo_table
from universal_memory.commands.figures import (
    JsonFileOption,
    progress,
    whole_numbers,
    write_figures,
)


def routing(
    files: Annotated[str, typer.Option(help="Sizes of the store.")] = "10000,100000",
    questions: Annotated[int, typer.Option(min=20, help="Questions of each split.")] = 1000,
    output: JsonFileOption = None,
) -> None:
    """Recall, milliseconds and calibration of routing among very many near-duplicates."""
    from universal_memory.benchmarks.routing import routing as measure

    sizes = whole_numbers(files, 100, "10000,100000")
    with progress() as advance:
        figures = measure(sizes, questions, advance)
    rows = figures["rows"]
    typer.echo(
        f"space {figures['space_id']}, {figures['pieces_read']:.4f} of the word pieces read right,"
        f" {questions} questions of each split, one thread"
    )
    echo_table(
        ["files", "words", "recall@1", "recall@5", "by cosine @1", "@5", "index finds", "AUROC",
         "strangers", "ECE", "encode ms p50/p95", "search ms", "both", "judge ms", "whole ms"],
        [
            (
                row["files"], "unseen" if row["split"] == "held_out" else "trained",
                *(f"{row[name]:.3f}" for name in (
                    "recall_at_1", "recall_at_5", "cosine_recall_at_1", "cosine_recall_at_5",
                    "index_agreement", "auroc", "auroc_strangers", "calibration_error")),
                *(f"{row['ms'][name]['p50']:.2f}/{row['ms'][name]['p95']:.2f}"
                  for name in ("encode", "search", "routing", "judge", "whole")),
            )
            for row in rows
        ],
    )  # fmt: skip
    for row in rows:
        words = "unseen" if row["split"] == "held_out" else "trained"
        typer.echo(f"\nreliability, {row['files']} files, {words} words")
        echo_table(
            ["relevance", "files", "said", "true"],
            [
                (f"{one['low']:.1f}-{one['high']:.1f}", one["count"], f"{one['said']:.3f}",
                 f"{one['true']:.3f}")
                for one in row["reliability"]
            ],
        )  # fmt: skip
    write_figures(output, figures)


def passports(
    model: Annotated[str, typer.Option(help="As for `ump train`.")] = "smollm2-135m",
    files: Annotated[int, typer.Option(min=4, help="Memory files.")] = 48,
    output: JsonFileOption = None,
) -> None:
    """Whether nearness of passports goes with what memories do, beside nearness of texts."""
    from universal_memory.benchmarks.passports import passports as measure

    with progress() as advance:
        figures = measure(model, files, advance)
    gain = figures["gain"]
    typer.echo(
        f"{model}, {figures['files']} files, {figures['questions']} questions, split"
        f" {figures['split']}; an answer gains {gain['own']:.1f} nats through its own file,"
        f" {gain['other']:.1f} through another"
    )
    echo_table(
        ["", "passports", "MiniLM text"],
        [
            (name, f"{row['passports']:.3f}", f"{row['text']:.3f}")
            for name, row in figures["agreement"].items()
        ],
    )
    write_figures(output, figures)
