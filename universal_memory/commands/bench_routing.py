"""`ump bench routing` and `ump bench passports`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from universal_memory.commands.console import echo_table

JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the figures here.")]


def routing(
    files: Annotated[str, typer.Option(help="Sizes of the store.")] = "10000,100000",
    questions: Annotated[int, typer.Option(min=20, help="Questions of each split.")] = 1000,
    output: JsonFile = None,
) -> None:
    """Recall, milliseconds and calibration of routing among very many near-duplicates."""
    from universal_memory.benchmarks.routing import routing as measure

    sizes = _sizes(files)
    figures = measure(sizes, questions, _told)
    rows = figures["rows"]
    typer.echo(
        f"space {figures['space_id']}, {figures['pieces_read']:.4f} of the word pieces read right,"
        f" {questions} questions of each split, one thread"
    )
    echo_table(
        ["files", "words", "recall@1", "recall@5", "by cosine @1", "@5", "index finds", "AUROC",
         "ECE", "encode ms p50/p95", "search ms", "judge ms", "routing ms"],
        [
            (
                row["files"], "unseen" if row["split"] == "held_out" else "trained",
                *(f"{row[name]:.3f}" for name in (
                    "recall_at_1", "recall_at_5", "cosine_recall_at_1", "cosine_recall_at_5",
                    "index_agreement", "auroc", "calibration_error")),
                *(f"{row['ms'][name]['p50']:.2f}/{row['ms'][name]['p95']:.2f}"
                  for name in ("encode", "search", "judge", "routing")),
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
    _write(output, figures)


def passports(
    model: Annotated[str, typer.Option(help="Packaged name or folder.")] = "smollm2-135m",
    files: Annotated[int, typer.Option(min=4, help="Memory files.")] = 48,
    output: JsonFile = None,
) -> None:
    """Whether nearness of passports goes with what memories do, beside nearness of texts."""
    from universal_memory.benchmarks.passports import passports as measure

    figures = measure(model, files, _told)
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
    _write(output, figures)


def _sizes(text: str) -> list[int]:
    try:
        sizes = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        sizes = []
    if not sizes or min(sizes) < 100:
        raise typer.BadParameter(f"{text!r}: give whole numbers from 100, as 10000,100000")
    return sizes


def _told(stage: str, done: int, total: int) -> None:
    if done == total or done % 4096 < 1024:
        typer.echo(f"{stage} {done}/{total}", err=True)


def _write(output: Path | None, figures: dict[str, Any]) -> None:
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(json.dumps(figures, indent=1), encoding="utf-8")
