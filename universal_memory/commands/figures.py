"""What the commands that measure share: numbers in, a progress bar, figures out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

JsonFileOption = Annotated[Path | None, typer.Option("--json", help="Write the figures here.")]


def whole_numbers(text: str, least: int, example: str) -> list[int]:
    """The whole numbers from `least` of a comma-separated list; else a usage error."""
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < least:
        raise typer.BadParameter(f"{text!r}: give whole numbers from {least}, as {example}")
    return numbers


def share(value: float | None) -> str:
    """A share with three digits, "-" for none."""
    return "-" if value is None else f"{value:.3f}"


@contextmanager
def progress() -> Iterator[Callable[[str, int, int], None]]:
    """A bar on standard error; the function moves it: stage, done, total."""
    columns: Sequence[Any] = (
        TextColumn("{task.description:14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("preparing", total=None)

        def advance(stage: str, done: int, total: int) -> None:
            shown.update(task, description=stage, completed=done, total=total)

        yield advance


def write_figures(output: Path | None, figures: dict[str, Any]) -> None:
    """Write figures as JSON, if a file was named."""
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(figures, indent=1, ensure_ascii=False)
        output.write_text(text, encoding="utf-8")
