"""`ump eval`: recall from memory beside its controls."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from universal_memory.commands.console import echo_table
from universal_memory.commands.figures import JsonFileOption, progress, write_figures

app = typer.Typer(add_completion=False)

MODES = "memory,oracle,shuffled,none,context,rag,manner"


@app.command()
def evaluate(
    file: Annotated[Path, typer.Argument(help="Episodes with questions, JSONL.")],
    model: Annotated[str, typer.Option(help="As for `ump train`.")] = "smollm2-135m",
    modes: Annotated[str, typer.Option(help="Comma-separated modes.")] = MODES,
    top_k: Annotated[int, typer.Option(help="Files fused in mode memory, texts in rag.")] = 3,
    limit: Annotated[int, typer.Option(help="Ask only the first N questions; 0: all.")] = 0,
    batch: Annotated[
        int, typer.Option(min=1, help="Questions decoded at once: faster; times are shares.")
    ] = 1,
    max_tokens: Annotated[int, typer.Option(min=1, help="Most tokens of an answer.")] = 40,
    max_events: Annotated[
        int, typer.Option(min=1, help="Most events (facts, in the own set) of a memory file.")
    ] = 1,
    output: JsonFileOption = None,
    make: Annotated[
        str, typer.Option(help="Write the project's own set to FILE first: SET:EPISODES:FACTS.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Seed of --make.")] = 20261122,
    by: Annotated[
        str, typer.Option(help="Scores also by this field of the questions, e.g. family.")
    ] = "",
    pointed: Annotated[
        bool,
        typer.Option(
            "--pointed/--whole", help="Open only the words that a question asks for, or all words."
        ),
    ] = True,
) -> None:
    """Compile every episode of FILE into a fresh store and ask every question in every mode.

    memory: routed among all files. oracle: the right file given. shuffled: another episode's file.
    none: base model. context: the episode's text in the prompt. rag: retrieved text in the prompt.
    manner: the renderer's shared LoRA with the text in the prompt.

    The project's own set of unseen words, one fact a file, 300 episodes:
    `ump eval build/unseen-1.jsonl --make held_out:300:1`

    Other sets: `new_combinations` (trained words), `unseen_families` (trained words in kinds of
    facts that training never drew), `cloze` (a word missing in an unseen sentence of real prose),
    `long` (answers of 6 to 15 words), and `speaker`, `pronouns`, `times` and `requests`, each in
    turns of unseen words in trained kinds of facts, and of kinds that training never drew.
    A question may name who asks it, `speaker`: "my" is then theirs.
    """
    from universal_memory.training.evaluation.run import evaluate as run

    if make:
        _make(file, make, seed)
    with progress() as advance:
        names = [name.strip() for name in modes.split(",") if name.strip()]
        result = run(
            file, model, names, top_k, limit, batch, max_tokens, max_events, advance, by, pointed
        )
    _show(result)
    write_figures(output, result)


def _make(file: Path, recipe: str, seed: int) -> None:
    from universal_memory.training.corpora.evaluation import write_evaluation

    parts = recipe.split(":")
    if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):
        raise ValueError(f"--make {recipe!r}: give SET:EPISODES:FACTS, e.g. held_out:300:1")
    write_evaluation(file, seed, int(parts[1]), int(parts[2]), parts[0])


def _show(result: dict[str, Any]) -> None:
    typer.echo(
        f"{result['file']}: {result['episodes']} episodes, {result['memory_files']} files,"
        f" {result['model']}, {result['machine']}, top {result['top_k']},"
        f" batch {result['batch']}, at most {result['max_events']} events a file"
    )
    stages = ("route", "load", "render", "generate")
    rows = [
        (
            name,
            *(f"{row[value]:.3f}" for value in ("exact_match", "f1", "containment")),
            f"{row['prompt_tokens']:.0f}",
            *(f"{row[f'{stage}_ms_p50']:.1f} / {row[f'{stage}_ms_p95']:.1f}" for stage in stages),
        )
        for name, row in result["modes"].items()
    ]
    times = [f"{stage} ms p50/p95" for stage in stages]
    echo_table(["mode", "exact", "F1", "contains", "prompt tokens", *times], rows)
    if result["by"]:
        modes = list(result["modes"])
        typer.echo()
        echo_table(
            ["exact (contains)", "questions", *modes],
            [
                (
                    value,
                    f"{row[modes[0]]['questions']:.0f}",
                    *(
                        f"{row[mode]['exact_match']:.2f} ({row[mode]['containment']:.2f})"
                        for mode in modes
                    ),
                )
                for value, row in result["by"].items()
            ],
        )
