"""`ump conformance`: does a file obey the UMP specification (docs/protocol.md)?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from universal_memory.commands.console import echo_json
from universal_memory.memory.bundle import Candidate, candidates
from universal_memory.memory.errors import StoreError
from universal_memory.memory.file import FORMAT_VERSION, MemoryFile, MemoryFileError
from universal_memory.memory.signing import load_trusted

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def conformance() -> None:
    """Check files against the UMP specification."""


@app.command("file")
def check_files(
    paths: Annotated[list[Path], typer.Argument(help=".ump files, folders or .tar bundles.")],
    space: Annotated[str | None, typer.Option(help="Require this space id.")] = None,
    trusted: Annotated[
        Path | None, typer.Option(help="Folder of *.pub keys: require a signature by one of them.")
    ] = None,
) -> None:
    """Check memory files; prints a JSON report, exit code 1 unless all conform."""
    keys = load_trusted(trusted) if trusted else None
    results: list[dict[str, Any]] = []
    for path in paths:
        try:
            results += [_check(candidate, space, keys) for candidate in candidates(path)]
        except StoreError as error:
            results.append(_refused(str(path), "unreadable", str(error)))
    conforming = sum(result["conforms"] for result in results)
    echo_json(
        {
            "protocol": f"UMP/{FORMAT_VERSION}",
            "checked": len(results),
            "conforming": conforming,
            "files": results,
        }
    )
    if conforming < len(results) or not results:
        raise typer.Exit(1)


def _check(
    candidate: Candidate, space: str | None, keys: dict[str, bytes] | None
) -> dict[str, Any]:
    if candidate.refusal:
        return _refused(candidate.name, "unreadable", candidate.refusal)
    try:
        file = MemoryFile.from_bytes(candidate.data, space, keys)
    except MemoryFileError as error:
        return _refused(candidate.name, error.reason, str(error))
    return {
        "name": candidate.name,
        "conforms": True,
        "id": file.id,
        "space_id": file.space_id,
        "counter": file.counter,
        "key_id": file.key_id or None,
        "canonical": file.to_bytes() == candidate.data,
    }


def _refused(name: str, reason: str, message: str) -> dict[str, Any]:
    return {"name": name, "conforms": False, "reason": reason, "message": message}
