"""`ump`, the command line: one noun, one module of `universal_memory.commands`.

A command exists when its module does: `commands/NAME.py` with `app`, a
typer.Typer(add_completion=False) with one command, or with a callback and several. It is imported
only when it is called, so that `ump --help` stays fast; the help lines of the overview therefore
stand here. Errors are one line with the remedy; UMP_DEBUG=1 shows the traceback. Exit codes: 0
done, 1 refused or failed, 2 wrong usage, 130 Ctrl-C.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from universal_memory import __version__
from universal_memory.resources import KEY_VARIABLE

COMMANDS = {
    "demo": "Replay a day in a home, compile it, and ask the robot about it.",
    "up": "Start all nodes for daily use.",
    "replay": "Publish a recorded bag, with /clock.",
    "query": "Ask the robot a question.",
    "trace": "Follow an answer to the files, and the seconds of the bag, it came from.",
    "compile": "Turn recorded experience into memory files.",
    "memory": "List, inspect, verify, move and forget memory files.",
    "key": "Make a signing key, and say whose memories are trusted.",
    "renderer": "List, show, verify, install and pack renderers of language models.",
    "adapter": "Export memories as an adapter that other programs can load.",
    "eval": "Measure answers on a file of experiences and questions.",
    "bench": "Measure speed and scale.",
    "train": "Train the space, a renderer or the router.",
    "conformance": "Check files, renderers and spaces against the UMP specification.",
}


class LazyCommand(TyperCommand):
    """A command known by name and help line; its module is imported when it is called."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Hand over to the real command."""
        module = importlib.import_module(f"universal_memory.commands.{self.name}")
        command = typer.main.get_command(module.app)
        command.name = self.name
        return command.make_context(info_name, args, parent=parent, **extra)


class LazyGroup(TyperGroup):
    """The commands whose modules are there, in the order of COMMANDS."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = {
            name: LazyCommand(name, help=line)
            for name, line in COMMANDS.items()
            if importlib.util.find_spec(f"universal_memory.commands.{name}")
        }


app = typer.Typer(
    cls=LazyGroup, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ump {__version__}")
        raise typer.Exit


@app.callback()
def overview(
    version: bool = typer.Option(
        False, "--version", help="Print the version.", callback=_show_version, is_eager=True
    ),
    store_key: Annotated[
        Path | None,
        typer.Option("--store-key", help="Key file of an encrypted store; else $UMP_STORE_KEY."),
    ] = None,
) -> None:
    """A memory for robots: experience compiled once into files that any model can run."""
    if store_key is not None:  # in the environment, so that nodes that are started inherit it
        os.environ[KEY_VARIABLE] = str(store_key.expanduser().absolute())


def main(arguments: list[str] | None = None) -> None:
    """Run `ump`; always ends in SystemExit with the exit code."""
    try:
        app(args=arguments, prog_name="ump")
    except Exception as error:
        if os.environ.get("UMP_DEBUG"):
            raise
        typer.echo(f"ump: {_one_line(error)}", err=True)
        sys.exit(1)


def _one_line(error: Exception) -> str:
    """Our own errors speak for themselves; others get their type, as they may be bugs."""
    message = " ".join(str(error).split())
    if type(error).__module__.startswith("universal_memory") or "remedy:" in message:
        return message
    return f"{type(error).__name__}: {message} (set UMP_DEBUG=1 to see where)"


if __name__ == "__main__":
    main()
