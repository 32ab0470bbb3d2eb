"""`ump memory`: what the robot remembers, as files."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from universal_memory.commands.console import (
    IdsArgument,
    JsonOption,
    StoreOption,
    echo_json,
    echo_problems,
    echo_table,
    root_of,
    stamp_text,
)
from universal_memory.commands.consolidate import consolidate
from universal_memory.commands.conversion import decrypt, encrypt
from universal_memory.commands.inspect import inspect
from universal_memory.commands.transfer import (
    SignatureOption,
    TrustedOption,
    export_memories,
    import_memories,
    policy,
    quarantine,
)
from universal_memory.encryption import store_cipher
from universal_memory.experience.buffer import RollingBuffer
from universal_memory.memory.errors import MemoryNotFound, StoreLocked
from universal_memory.memory.mark import Mark
from universal_memory.memory.record import Record
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def memory() -> None:
    """List, inspect, verify, move, encrypt, consolidate and forget memory files."""


@app.command("list")
def list_memories(
    store: StoreOption = None,
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=0, help="Only the newest so many; 0 for all.")] = 0,
) -> None:
    """List memories, oldest first, with what the ledger knows of them."""
    with MemoryStore(root_of(store), read_only=True, cipher=store_cipher()) as memories:
        hidden = memories.merged.hidden()
        rows = [_row(record) for record in memories.records() if record.id not in hidden]
        known = {row["id"] for row in rows}
        rows += [{"id": i, "lost_provenance": True} for i in memories.ids() if i not in known]
        newer = memories.marks.by_superseded()
    rows = [row | {"superseded_by": newer.get(row["id"], [])} for row in rows]
    rows = rows[-limit:] if limit else rows
    if as_json:
        echo_json(rows)
        return
    if not rows:
        typer.echo("no memories yet")
        return
    echo_table(
        ("id", "counter", "compiled", "streams", "source", "origin", "superseded by"),
        [
            (
                row["id"][:12],
                row.get("counter", "?"),
                stamp_text(row.get("compiled_stamp", 0)),
                ", ".join(row.get("streams", ())) or "-",
                row.get("source") or "-",
                _origin(row),
                ", ".join(one[:12] for one in row["superseded_by"]) or "-",
            )
            for row in rows
        ],
    )
    merged = f", and {len(hidden)} that are merged into them" if hidden else ""
    typer.echo(f"{len(rows)} memories{merged}")


@app.command()
def verify(
    store: StoreOption = None,
    require_signature: SignatureOption = False,
    trusted: TrustedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Re-hash every file and compare files with the ledger; exit code 1 if anything is wrong."""
    root = root_of(store)
    keys = policy(root, require_signature, trusted)
    with MemoryStore(root, read_only=True, trusted=keys, cipher=store_cipher()) as memories:
        report = memories.verify()
    if as_json:
        echo_json(asdict(report))
    else:
        echo_problems(report.problems)
        typer.echo(f"{report.checked} memories checked, {len(report.problems)} problems")
    _exit_if(bool(report.problems))


app.command()(inspect)
app.command("export")(export_memories)
app.command("import")(import_memories)
app.command()(quarantine)
app.command()(encrypt)
app.command()(decrypt)
app.command()(consolidate)


@app.command()
def forget(
    memory_ids: IdsArgument,
    store: StoreOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Remove memories for good: file, ledger row, passport in the index, events in the buffer."""
    root = root_of(store)
    with MemoryStore(root, read_only=True, cipher=store_cipher()) as memories:
        ids = list(dict.fromkeys(memories.resolve(memory_id) for memory_id in memory_ids))
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("there is nobody to ask; give --yes to forget for good")
        names = ", ".join(memory_id[:12] for memory_id in ids)
        typer.confirm(f"forget {names} for good?", abort=True)
    with MemoryStore(root, cipher=store_cipher()) as memories:
        gone = [one for memory_id in ids for one in _forgotten(memories, memory_id)]
        PassportIndex.open(memories)
        _forget_events(memories, gone)
    if as_json:
        echo_json({"forgotten": gone})
    else:
        typer.echo(f"{len(gone)} memories forgotten")


@app.command()
def reindex(
    store: StoreOption = None,
    supersession: Annotated[
        bool,
        typer.Option("--supersession", help="Compare all memories anew: which superseded which."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Rebuild ledger and index from the files; exit code 1 if a file had to be quarantined.

    Which memory superseded which is kept, as provenance is, where it can still be read.
    """
    with MemoryStore(root_of(store), cipher=store_cipher()) as memories:
        report = memories.reindex()
        index = PassportIndex.rebuild(memories)
        marks = _compare(memories, index) if supersession else []
    if as_json:
        echo_json(asdict(report) | {"damaged_ledger": _text_or_none(report.damaged_ledger)})
    else:
        echo_problems(report.quarantined)
        typer.echo(
            f"{report.kept} memories kept, {len(report.without_provenance)} of them without "
            f"provenance, {len(report.dropped)} ledger rows dropped, "
            f"{len(report.quarantined)} files quarantined"
        )
        if supersession:
            typer.echo(f"{len(marks)} times a later memory supersedes an earlier one")
        if report.damaged_ledger:
            typer.echo(f"the damaged ledger is kept as {report.damaged_ledger}; it may hold text")
    _exit_if(bool(report.quarantined))


def _forgotten(memories: MemoryStore, memory_id: str) -> tuple[str, ...]:
    """Ids of the files that went with a memory; none if it went with another one."""
    try:
        return memories.forget(memory_id)
    except MemoryNotFound:
        return ()


def _forget_events(memories: MemoryStore, ids: list[str]) -> None:
    """Erase the words that wait in the rolling buffer to age out."""
    path = memories.root / "buffer.sqlite"
    if not path.is_file():
        return
    try:
        with (
            memories.lock("compiler"),
            RollingBuffer(path, cipher=memories.cipher) as buffer,
        ):
            for memory_id in ids:
                buffer.forget(memory_id)
    except StoreLocked:
        pass  # the running compiler erases them before its next compilation


def _compare(memories: MemoryStore, index: PassportIndex) -> list[Mark]:
    from universal_memory.routing.supersession import SupersessionJudge
    from universal_memory.runtime.succession import Succession
    from universal_memory.space.semantic_space import SemanticSpace

    space = SemanticSpace.load()
    return Succession(SupersessionJudge.load(space), space, memories, index).mark_all()


def _row(record: Record) -> dict[str, Any]:
    row = asdict(record)
    return row | row.pop("provenance")


def _origin(row: dict[str, Any]) -> str:
    if row.get("lost_provenance"):
        return "unknown"
    return "imported" if row["imported"] else "own"


def _exit_if(failed: bool) -> None:
    if failed:
        raise typer.Exit(1)


def _text_or_none(path: Path | None) -> str | None:
    return None if path is None else str(path)
