"""What the commands share: the options of a store, tables and JSON on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from universal_memory.memory.reports import Problem
from universal_memory.resources import store_root

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        # No square brackets in help: Typer would take them for markup and show nothing.
        help="Folder of the store; else $UMP_HOME, else ~/.local/share/universal_memory.",
    ),
]
IdsArgument = Annotated[list[str], typer.Argument(help="Memory ids, or their first digits (4+).")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_FIRST_WALL_CLOCK_STAMP = 10**18  # September 2001: smaller stamps are of a simulated clock


def root_of(store: Path | None) -> Path:
    """The store that an option names, or the default one."""
    return store if store is not None else store_root()


def echo_json(value: Any) -> None:
    """Print `value` as JSON."""
    typer.echo(json.dumps(value, indent=2))


def echo_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; wide where the output is a file or a pipe."""
    table = Table(*columns, header_style="bold", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(str(cell)), overflow="fold") for cell in row))
    Console(width=None if sys.stdout.isatty() else 200).print(table)


def echo_problems(problems: Iterable[Problem]) -> None:
    """Print what is wrong with each, one line each, on standard error."""
    for problem in problems:
        typer.echo(f"{printable(problem.name)}: {printable(problem.reason)}", err=True)


def printable(text: str) -> str:
    """`text` on one line without control characters: foreign names must not drive a terminal."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def stamp_text(stamp: int) -> str:
    """Nanoseconds as UTC time, as seconds of a simulated clock, or "-" if unknown."""
    if stamp == 0:
        return "-"
    if stamp < _FIRST_WALL_CLOCK_STAMP:
        return f"{stamp / 1e9:.3f} s"
    moment = datetime.fromtimestamp(stamp / 1e9, tz=timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S")
