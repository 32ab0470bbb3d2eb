"""`ump bench trace`, `labels`, `privacy` and `encryption`: seeing inside, and being kept out."""

from __future__ import annotations

from typing import Annotated

import typer

from universal_memory.commands.console import echo_table
from universal_memory.commands.figures import (
    JsonFileOption,
    progress,
    share,
    whole_numbers,
    write_figures,
)

SplitOption = Annotated[str, typer.Option(help="Of the corpus: new_combinations or held_out.")]
SeedOption = Annotated[int, typer.Option(help="Same seed, same texts and questions.")]


def trace(
    model: Annotated[str, typer.Option(help="Packaged name or folder.")] = "smollm2-135m",
    files: Annotated[str, typer.Option(help="Numbers of files that are on.")] = "1,3",
    questions: Annotated[int, typer.Option(min=1, help="Questions of every number.")] = 60,
    split: SplitOption = "held_out",
    seed: SeedOption = 20261122,
    output: JsonFileOption = None,
) -> None:
    """How often the word that `ump trace` names first is the one that holds the answer."""
    counts = whole_numbers(files, 1, "1,3")
    from universal_memory.benchmarks.recall import fresh_answerer
    from universal_memory.benchmarks.tracing import tracing as measure

    with fresh_answerer(model) as answerer, progress() as advance:
        rows = measure(answerer, counts, questions, split, seed, advance)
    typer.echo(f"{model}, split {split}, seed {seed}, files at full gates")
    echo_table(
        ["files", "questions", "exact", "right file", "by chance", "right word", "by chance",
         "of exact answers"],
        [
            (
                row["files"], row["questions"], share(row["exact"]), share(row["right_file"]),
                share(row["right_file_by_chance"]), share(row["right_word"]),
                share(row["right_word_by_chance"]), share(row["right_word_of_exact"]),
            )
            for row in rows
        ],
    )  # fmt: skip
    write_figures(output, {"model": model, "split": split, "seed": seed, "rows": rows})


def labels(
    episodes: Annotated[int, typer.Option(min=1, help="Texts of every label.")] = 16,
    split: SplitOption = "held_out",
    seed: SeedOption = 20261122,
    output: JsonFileOption = None,
) -> None:
    """How often the nearest probe of `ump memory inspect` says what a memory is about."""
    from universal_memory.benchmarks.labels import labels as measure
    from universal_memory.routing.passport import PassportEncoder
    from universal_memory.space.semantic_space import SemanticSpace

    space = SemanticSpace.load()
    rows = measure(space, PassportEncoder.load(space), episodes, split, seed)
    typer.echo(f"space {space.space_id}, split {split}, seed {seed}")
    echo_table(
        ["label", "episodes", "by slots", "by passports", "by chance"],
        [
            (
                row["label"], row["episodes"], share(row["by_slots"]), share(row["by_passports"]),
                share(row["by_chance"]),
            )
            for row in rows
        ],
    )  # fmt: skip
    write_figures(output, {"split": split, "seed": seed, "rows": rows})


def privacy(
    texts: Annotated[int, typer.Option(min=2, help="Texts, a memory of one fact each.")] = 400,
    split: SplitOption = "held_out",
    training: Annotated[
        int, typer.Option(min=1, help="Texts that the attacker of passports learns from.")
    ] = 8000,
    seed: SeedOption = 20261122,
    output: JsonFileOption = None,
) -> None:
    """How much of a text is recovered from its memory file, and from its passport alone."""
    from universal_memory.benchmarks.privacy import privacy as measure
    from universal_memory.routing.passport import PassportEncoder
    from universal_memory.space.semantic_space import SemanticSpace

    space = SemanticSpace.load()
    with progress() as advance:
        figures = measure(
            space, PassportEncoder.load(space), texts, split, seed, training, advance
        )
    typer.echo(
        f"space {space.space_id}, {figures['texts']} texts with {figures['names']} names and"
        f" {figures['numbers']} numbers, split {split}, seed {seed}; of files as written, of"
        " passports without order"
    )
    echo_table(
        ["attacker has", "names", f"names out of {figures['choices']}", "numbers and codes",
         "words", "whole texts"],
        [
            (
                row["attacker"], share(row["names"]), share(row.get("chosen")),
                share(row["numbers"]), share(row["words"]), share(row["texts"]),
            )
            for row in figures["rows"]
        ],
    )  # fmt: skip
    write_figures(output, {"space_id": space.space_id, **figures})


def encryption(
    files: Annotated[int, typer.Option(min=1, help="Passports in the index.")] = 1000,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements of each stage.")] = 100,
    output: JsonFileOption = None,
) -> None:
    """Milliseconds of a store's disk work, plain and encrypted at rest."""
    from universal_memory.benchmarks.encryption import encryption as measure

    rows = measure(files, repeats)
    echo_table(
        ["stage", "plain ms p50 / p95", "encrypted ms p50 / p95", "ratio of p50"],
        [
            (
                row["stage"],
                *(f"{row[kind][0]:.3f} / {row[kind][1]:.3f}" for kind in ("plain", "encrypted")),
                f"{row['ratio']:.2f}",
            )
            for row in rows
        ],
    )
    write_figures(output, {"files": files, "repeats": repeats, "rows": rows})
