"""`ump memory`: what the robot remembers, as files."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from universal_memory.commands.console import (
    IdsArgument,
    JsonOption,
    StoreOption,
    echo_json,
    echo_table,
    printable,
    root_of,
    stamp_text,
)
from universal_memory.experience.buffer import RollingBuffer
from universal_memory.memory.errors import StoreLocked
from universal_memory.memory.record import Record
from universal_memory.memory.reports import Problem
from universal_memory.memory.signing import Signer, load_trusted
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def memory() -> None:
    """List, inspect, verify, move and forget memory files."""


@app.command("list")
def list_memories(
    store: StoreOption = None,
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=0, help="Only the newest so many; 0 for all.")] = 0,
) -> None:
    """List memories, oldest first, with what the ledger knows of them."""
    with MemoryStore(root_of(store), read_only=True) as memories:
        rows = [_row(record) for record in memories.records()]
        known = {row["id"] for row in rows}
        rows += [{"id": i, "lost_provenance": True} for i in memories.ids() if i not in known]
    rows = rows[-limit:] if limit else rows
    if as_json:
        echo_json(rows)
        return
    if not rows:
        typer.echo("no memories yet")
        return
    echo_table(
        ("id", "counter", "compiled", "streams", "source", "origin"),
        [
            (
                row["id"][:12],
                row.get("counter", "?"),
                stamp_text(row.get("compiled_stamp", 0)),
                ", ".join(row.get("streams", ())) or "-",
                row.get("source") or "-",
                "imported" if row.get("imported") else "unknown" if len(row) == 2 else "own",
            )
            for row in rows
        ],
    )
    typer.echo(f"{len(rows)} memories")


@app.command()
def inspect(
    memory_id: Annotated[str, typer.Argument(help="Memory id, or its first digits (4+).")],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one memory: what is in the file and what the ledger knows of it."""
    with MemoryStore(root_of(store), read_only=True) as memories:
        memory_id = memories.resolve(memory_id)
        file, path = memories.get(memory_id), memories.path_of(memory_id)
        record = memories.record(memory_id)
    norms = np.linalg.norm(file.usv, axis=1)
    shown: dict[str, Any] = {
        "id": file.id,
        "path": str(path),
        "bytes": path.stat().st_size,
        "space_id": file.space_id,
        "counter": file.counter,
        "signed_by": file.key_id or None,
        "slot_norm_lowest": round(float(norms.min()), 3),
        "slot_norm_highest": round(float(norms.max()), 3),
        "provenance": asdict(record.provenance) if record else None,
    }
    if as_json:
        echo_json(shown)
        return
    provenance = shown.pop("provenance") or {}
    for name in ("compiled_stamp", "start_stamp", "end_stamp"):
        if name in provenance:
            provenance[name] = stamp_text(provenance[name])
    fields = [*shown.items(), *provenance.items()]
    echo_table(("field", "value"), [(n, "-" if v in (None, "", ()) else v) for n, v in fields])


@app.command()
def verify(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Re-hash every file and compare files with the ledger; exit code 1 if anything is wrong."""
    with MemoryStore(root_of(store), read_only=True) as memories:
        report = memories.verify()
    if as_json:
        echo_json(asdict(report))
    else:
        _echo_problems(report.problems)
        typer.echo(f"{report.checked} memories checked, {len(report.problems)} problems")
    _exit_if(bool(report.problems))


@app.command("export")
def export_memories(
    destination: Annotated[Path, typer.Argument(help="A .tar bundle, a .ump file or a folder.")],
    memory_ids: Annotated[list[str] | None, typer.Argument(help="Memory ids (4+ digits).")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Export all memories.")] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy memories out, for another robot. Provenance and text stay here."""
    if bool(memory_ids) == everything:
        raise typer.BadParameter("name memory ids, or give --all")
    with MemoryStore(root_of(store), read_only=True) as memories:
        ids = memories.ids() if everything else [memories.resolve(i) for i in memory_ids or ()]
        paths = memories.export(ids, destination)
    if as_json:
        echo_json({"exported": ids, "paths": [str(path) for path in paths]})
    else:
        typer.echo(f"{len(ids)} memories exported to {destination}")


@app.command("import")
def import_memories(
    paths: Annotated[list[Path], typer.Argument(help=".ump files, folders or .tar bundles.")],
    store: StoreOption = None,
    space: Annotated[str | None, typer.Option(help="Refuse files of another space id.")] = None,
    trusted: Annotated[
        Path | None,
        typer.Option(help="Folder of *.pub keys: refuse files that none of them signed."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Take in memory files of another robot; exit code 1 if any was refused, or none was found."""
    keys = load_trusted(trusted) if trusted else None
    with MemoryStore(root_of(store), space_id=space, trusted=keys) as memories:
        reports = [memories.import_path(path) for path in paths]
        PassportIndex.open(memories)
    added = [memory_id for report in reports for memory_id in report.added]
    present = [memory_id for report in reports for memory_id in report.present]
    refused = [problem for report in reports for problem in report.refused]
    if as_json:
        echo_json({"added": added, "present": present, "refused": [asdict(p) for p in refused]})
    else:
        _echo_problems(refused)
        typer.echo(
            f"{len(added)} memories imported, {len(present)} were there already, "
            f"{len(refused)} refused"
        )
    _exit_if(bool(refused) or not (added or present))


@app.command()
def forget(
    memory_ids: IdsArgument,
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove memories for good: file, ledger row, passport in the index, events in the buffer."""
    root = root_of(store)
    with MemoryStore(root, read_only=True) as memories:
        ids = list(dict.fromkeys(memories.resolve(memory_id) for memory_id in memory_ids))
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("there is nobody to ask; give --yes to forget for good")
        names = ", ".join(memory_id[:12] for memory_id in ids)
        typer.confirm(f"forget {names} for good?", abort=True)
    with MemoryStore(root) as memories:
        for memory_id in ids:
            memories.forget(memory_id)
        PassportIndex.open(memories)
        _forget_events(memories, ids)
    if as_json:
        echo_json({"forgotten": ids})
    else:
        typer.echo(f"{len(ids)} memories forgotten")


@app.command()
def reindex(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Rebuild ledger and index from the files; exit code 1 if a file had to be quarantined."""
    with MemoryStore(root_of(store)) as memories:
        report = memories.reindex()
        PassportIndex.rebuild(memories)
    if as_json:
        echo_json(asdict(report) | {"damaged_ledger": _text_or_none(report.damaged_ledger)})
    else:
        _echo_problems(report.quarantined)
        typer.echo(
            f"{report.kept} memories kept, {len(report.without_provenance)} of them without "
            f"provenance, {len(report.dropped)} ledger rows dropped, "
            f"{len(report.quarantined)} files quarantined"
        )
        if report.damaged_ledger:
            typer.echo(f"the damaged ledger is kept as {report.damaged_ledger}; it may hold text")
    _exit_if(bool(report.quarantined))


@app.command()
def key(path: Annotated[Path, typer.Argument(help="File for the private key.")]) -> None:
    """Make a key that signs memories, and PATH.pub for those who shall trust it."""
    signer = Signer.generate()
    signer.save(path)
    typer.echo(f"key {signer.key_id} written to {path} (keep it) and {path}.pub (hand it out)")


def _forget_events(memories: MemoryStore, ids: list[str]) -> None:
    """Erase the words that wait in the rolling buffer to age out."""
    path = memories.root / "buffer.sqlite"
    if not path.is_file():
        return
    try:
        with memories.lock("compiler"), RollingBuffer(path) as buffer:
            for memory_id in ids:
                buffer.forget(memory_id)
    except StoreLocked:
        pass  # the running compiler erases them before its next compilation


def _row(record: Record) -> dict[str, Any]:
    row = asdict(record)
    return row | row.pop("provenance")


def _echo_problems(problems: list[Problem]) -> None:
    for problem in problems:
        typer.echo(f"{printable(problem.name)}: {printable(problem.reason)}", err=True)


def _exit_if(failed: bool) -> None:
    if failed:
        raise typer.Exit(1)


def _text_or_none(path: Path | None) -> str | None:
    return None if path is None else str(path)
