"""`ump bench baselines`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from universal_memory.commands.console import echo_table
from universal_memory.commands.figures import (
    JsonFileOption,
    progress,
    share,
    whole_numbers,
    write_figures,
)


def baselines(
    model: Annotated[str, typer.Option(help="As for `ump train`.")] = "smollm2-135m",
    memories: Annotated[
        str, typer.Option(help="Numbers of memories, among which the same questions are asked.")
    ] = "10,1000,100000",
    questions: Annotated[int, typer.Option(min=1, help="Questions at every number.")] = 60,
    rivals: Annotated[
        str, typer.Option(help="Which ones, comma-separated; blank: all of them.")
    ] = "",
    split: Annotated[
        str, typer.Option(help="Of the corpus: new_combinations, held_out or unseen_families.")
    ] = "held_out",
    facts: Annotated[int, typer.Option(min=1, help="Facts in an episode that is asked.")] = 1,
    seed: Annotated[int, typer.Option(help="Same seed, same texts and questions.")] = 20261130,
    seconds: Annotated[
        float,
        typer.Option(min=0.0, help="After so long at one number a rival is asked no more."),
    ] = 300.0,
    embed_most: Annotated[
        int, typer.Option(min=0, help="Memories up to which texts are embedded with MiniLM.")
    ] = 100_000,
    tune_steps: Annotated[
        int, typer.Option(min=1, help="Gradient steps of a LoRA for one episode.")
    ] = 16,
    soft_minutes: Annotated[
        float, typer.Option(min=0.0, help="Of training, where there are no soft tokens yet.")
    ] = 8.0,
    soft_run: Annotated[
        Path | None,
        typer.Option(help="Folder of the soft tokens; else the one of `ump train soft-tokens`."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write a chart (PNG) here.")] = None,
    output: JsonFileOption = None,
) -> None:
    """Memory files beside text in the prompt, retrieval, saved caches, soft tokens and LoRAs."""
    sizes = sorted(set(whole_numbers(memories, 2, "10,1000,100000")))
    from universal_memory.benchmarks.baselines import baselines as measure
    from universal_memory.benchmarks.rivals import RIVALS, Settings
    from universal_memory.training.model_card import machine

    names = [name.strip() for name in rivals.split(",") if name.strip()] or list(RIVALS)
    if unknown := [name for name in names if name not in RIVALS]:
        raise typer.BadParameter(f"{unknown[0]!r} is no rival; there are: {', '.join(RIVALS)}")
    settings = Settings(
        embed_most=embed_most, tune_steps=tune_steps, soft_minutes=soft_minutes, soft_run=soft_run
    )
    with progress() as advance:
        figures = measure(
            model, sizes, questions, names, settings, split, facts, seed, seconds, advance=advance
        )
    head = (
        f"{model}, {machine()}, {questions} questions, split {split}, {facts} facts an episode,"
        f" seed {seed}"
    )
    typer.echo(head)
    for size in sizes:
        typer.echo(f"\n{size:,} memories")
        echo_table(
            ["rival", "asked", "exact", "contains", "F1", "bytes a memory", "compile ms",
             "prompt tokens", "first token ms p50/p95", "note"],
            [_cells(row) for row in figures["rows"] if row["memories"] == size],
        )  # fmt: skip
    write_figures(output, {"machine": machine(), **figures})
    if plot is not None:
        _plot(figures, f"{model}, {questions} questions", plot)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    if "not_run" in row:
        return (row["rival"], *["-"] * 8, row["not_run"])
    return (
        row["rival"],
        str(row["questions"]),
        share(row["exact_match"]),
        share(row["containment"]),
        share(row["f1"]),
        f"{row['bytes_per_memory']:,.0f}",
        f"{row['compile_ms']:,.1f}",
        f"{row['prompt_tokens']:,.1f}",
        f"{row['first_token_ms_p50']:,.0f} / {row['first_token_ms_p95']:,.0f}",
        row["note"],
    )


def _plot(figures: dict[str, Any], title: str, path: Path) -> None:
    """Recall and time to the first token against the number of memories."""
    from universal_memory.benchmarks.chart import Panel, save

    def lines(value: str) -> dict[str, list[tuple[float, float]]]:
        found: dict[str, list[tuple[float, float]]] = {}
        for row in figures["rows"]:
            points = found.setdefault(row["rival"], [])
            if value in row:
                points.append((row["memories"], row[value]))
        return found

    panels = [
        Panel("exact match", "memories", lines("exact_match")),
        Panel("contains the answer", "memories", lines("containment")),
        Panel(
            "time to the first token, p50 [ms]", "memories", lines("first_token_ms_p50"),
            logarithmic=True,
        ),
    ]  # fmt: skip
    save(panels, title, path)
