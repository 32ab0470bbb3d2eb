"""`ump bench`: speeds and limits of the real parts on this machine."""

from __future__ import annotations

import platform
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from universal_memory.commands import (
    bench_alignment,
    bench_baselines,
    bench_inside,
    bench_portability,
    bench_routing,
    bench_sleep,
    bench_surprise,
    bench_updates,
)
from universal_memory.commands.console import echo_table
from universal_memory.commands.figures import (
    JsonFileOption,
    progress,
    share,
    whole_numbers,
    write_figures,
)

app = typer.Typer(add_completion=False, help="Speeds and limits of the real parts.")

ModelOption = Annotated[str, typer.Option(help="As for `ump train`.")]
SplitOption = Annotated[
    str, typer.Option(help="Of the corpus: new_combinations, held_out or unseen_families.")
]
SeedOption = Annotated[int, typer.Option(help="Same seed, same texts and questions.")]
BatchOption = Annotated[int, typer.Option(min=1, help="Questions decoded at once.")]

app.command()(bench_routing.routing)
app.command()(bench_routing.passports)
app.command()(bench_alignment.alignment)
app.command()(bench_portability.portability)
app.command()(bench_baselines.baselines)
app.command()(bench_inside.trace)
app.command()(bench_inside.labels)
app.command()(bench_inside.privacy)
app.command()(bench_inside.encryption)
app.command()(bench_updates.updates)
app.command()(bench_surprise.surprise)
app.command()(bench_sleep.sleep)


@app.callback()
def bench() -> None:
    """Speeds and limits of the real parts on this machine."""


@app.command()
def latency(
    model: ModelOption = "smollm2-135m",
    files: Annotated[int, typer.Option(min=1, help="Passports in the index.")] = 10_000,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements of each stage.")] = 20,
    output: JsonFileOption = None,
) -> None:
    """Milliseconds of every stage of a query, beside reading text."""
    from universal_memory.benchmarks.latency import latency as measure

    figures = measure(model, files, repeats)
    typer.echo(f"{model}, {_machine()}, {files} passports, {repeats} repeats")
    rows = [(name, f"{p50:.2f}", f"{p95:.2f}") for name, (p50, p95) in figures.items()]
    echo_table(["stage", "p50 ms", "p95 ms"], rows)
    write_figures(output, figures)


@app.command()
def fusion(
    model: ModelOption = "smollm2-135m",
    files: Annotated[
        str, typer.Option(help="Numbers of fused files, the right one among them.")
    ] = "1,2,3,4,5,6,8",
    questions: Annotated[int, typer.Option(min=1, help="Questions of every kind.")] = 120,
    split: SplitOption = "new_combinations",
    seed: SeedOption = 20261122,
    batch: BatchOption = 8,
    output: JsonFileOption = None,
) -> None:
    """Recall against the number of fused files, and questions that need two files."""
    counts = whole_numbers(files, 1, "1,2,4")
    from universal_memory.benchmarks.fusion import fusion as measure
    from universal_memory.benchmarks.recall import fresh_answerer

    with fresh_answerer(model) as answerer, progress() as advance:
        figures = measure(answerer, counts, questions, split, seed, batch, advance)
    typer.echo(
        f"{model}, {_machine()}, {questions} questions of every kind, split {split}, seed {seed},"
        f" {figures['corpus_files']} files"
    )
    echo_table(
        ["kind", "gates", "files", "exact", "contains", "of single", "on", "own on",
         "render+fuse ms p50/p95"],
        [
            (
                row["kind"], row["gates"], row["files"],
                share(row["exact_match"]), share(row["containment"]), share(row["ratio"]),
                f"{row['files_on']:.1f}", share(row["own_on"]),
                f"{row['ms_p50']:.1f} / {row['ms_p95']:.1f}" if "ms_p50" in row else "",
            )
            for row in figures["files"]
        ],
    )  # fmt: skip
    typer.echo()
    echo_table(
        ["two facts about one person", "files on", "questions", "exact", "contains all"],
        [
            (row["asked"], row["on"], row["questions"], share(row["exact_match"]),
             share(row["containment"]))
            for row in figures["two_files"]
        ],
    )  # fmt: skip
    write_figures(output, {**_head(model, split, seed, batch), **figures})


@app.command()
def capacity(
    model: ModelOption = "smollm2-135m",
    facts: Annotated[str, typer.Option(help="Numbers of facts in a file.")] = "1,2,3,4,6,8,12,16",
    episodes: Annotated[int, typer.Option(min=1, help="Files at every number.")] = 40,
    questions: Annotated[int, typer.Option(min=1, help="Most questions at every number.")] = 120,
    split: SplitOption = "new_combinations",
    seed: SeedOption = 20261122,
    batch: BatchOption = 8,
    output: JsonFileOption = None,
) -> None:
    """Recall against the number of facts in one memory file, and the knee of that curve."""
    counts = whole_numbers(facts, 1, "1,2,4")
    from universal_memory.benchmarks.capacity import KEPT
    from universal_memory.benchmarks.capacity import capacity as measure
    from universal_memory.benchmarks.recall import fresh_answerer

    with fresh_answerer(model) as answerer, progress() as advance:
        figures = measure(answerer, counts, episodes, questions, split, seed, batch, advance)
    most = figures["max_word_pieces"]
    typer.echo(f"{model}, {_machine()}, {episodes} files a row, split {split}, seed {seed}")
    echo_table(
        ["facts a file", "questions", "exact", "all words open", "contains",
         f"facts within {most} pieces", "exact of those",
         "pieces mean / most", "kB a file", "recalled facts a kB"],
        [
            (
                row["facts"], row["questions"], share(row["exact_match"]),
                share(row["exact_match_whole"]), share(row["containment"]),
                f"{row['facts_within']:.1f}",
                share(row["exact_match_within"]),
                f"{row['word_pieces']:.0f} / {row['word_pieces_most']}",
                f"{row['kilobytes']:.1f}", f"{row['recalled_per_kilobyte']:.3f}",
            )
            for row in figures["rows"]
        ],
    )  # fmt: skip
    knee = figures["knee"]
    typer.echo(
        f"knee: {knee} facts a file, the most with {KEPT:.0%} of the exact match of one fact"
        if knee
        else "knee: none, not even one fact a file is recalled"
    )
    write_figures(output, {**_head(model, split, seed, batch), **figures})


@app.command()
def refinement(
    model: ModelOption = "smollm2-135m",
    steps: Annotated[str, typer.Option(help="Numbers of gradient steps.")] = "0,4,16",
    rate: Annotated[float, typer.Option(help="Of every number of a USV, a step.")] = 0.02,
    facts: Annotated[int, typer.Option(min=1, help="Facts in a file.")] = 1,
    episodes: Annotated[int, typer.Option(min=1, help="Files.")] = 60,
    other: Annotated[
        str, typer.Option(help="Another model to ask, with the same refined files on.")
    ] = "",
    split: SplitOption = "held_out",
    seed: SeedOption = 20261122,
    output: JsonFileOption = None,
) -> None:
    """What a USV gains from gradient steps through the frozen renderer, and what they cost."""
    counts = whole_numbers(steps, 0, "0,4,16")
    from universal_memory.benchmarks.recall import fresh_answerer
    from universal_memory.benchmarks.refinement import refinement as measure

    with ExitStack() as opened:
        answerer = opened.enter_context(fresh_answerer(model))
        second = opened.enter_context(fresh_answerer(other)) if other else None
        advance = opened.enter_context(progress())
        rows = measure(answerer, episodes, facts, counts, rate, split, seed, second, advance)
    typer.echo(
        f"{model}, {_machine()}, {episodes} files of {facts}, split {split}, seed {seed},"
        f" rate {rate}"
    )
    echo_table(
        ["steps", "questions", "exact", f"exact {other or 'elsewhere'}", "seconds a file", "moved"],
        [
            (
                row["steps"], row["questions"], share(row["exact_match"]),
                share(row["other_exact_match"]), f"{row['seconds']:.2f}", share(row["moved"]),
            )
            for row in rows
        ],
    )  # fmt: skip
    write_figures(
        output,
        {
            **_head(model, split, seed, 1), "other": other, "rate": rate, "facts": facts,
            "rows": rows,
        },
    )


def _head(model: str, split: str, seed: int, batch: int) -> dict[str, Any]:
    """What figures of recall belong to."""
    return {"model": model, "machine": _machine(), "split": split, "seed": seed, "batch": batch}


def _machine() -> str:
    import torch

    return f"{platform.machine()}, {torch.get_num_threads()} threads, {platform.system()}"
