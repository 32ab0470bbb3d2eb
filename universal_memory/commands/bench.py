"""`ump bench`: speeds of the real parts on this machine."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Annotated

import typer

from universal_memory.commands.console import echo_table

app = typer.Typer(add_completion=False, help="Speeds of the real parts on this machine.")


@app.callback()
def bench() -> None:
    """Speeds of the real parts on this machine."""


@app.command()
def latency(
    model: Annotated[str, typer.Option(help="Packaged name or folder.")] = "smollm2-135m",
    files: Annotated[int, typer.Option(min=1, help="Passports in the index.")] = 10_000,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements of each stage.")] = 20,
    output: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Milliseconds of every stage of a query, beside reading text."""
    import torch

    from universal_memory.benchmarks.latency import latency as measure

    figures = measure(model, files, repeats)
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, {platform.system()}"
    typer.echo(f"{model}, {machine}, {files} passports, {repeats} repeats")
    rows = [(name, f"{p50:.2f}", f"{p95:.2f}") for name, (p50, p95) in figures.items()]
    echo_table(["stage", "p50 ms", "p95 ms"], rows)
    if output is not None:
        output.write_text(json.dumps(figures, indent=1), encoding="utf-8")
