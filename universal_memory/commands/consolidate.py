"""`ump memory consolidate`: a robot's sleep. Many files become fewer; the originals wait."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from universal_memory.commands.console import (
    JsonOption,
    StoreOption,
    echo_json,
    echo_table,
    root_of,
    stamp_text,
)
from universal_memory.commands.figures import progress
from universal_memory.encryption import store_cipher
from universal_memory.memory.merged import Merged
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex


def consolidate(
    group: Annotated[int, typer.Option(min=2, help="Most files that become one.")] = 4,
    imported: Annotated[
        bool, typer.Option("--imported", help="Merge files of other robots, too.")
    ] = False,
    learned: Annotated[
        bool, typer.Option("--learned", help="Merge with the merger of `ump train merger`.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be merged; change nothing.")
    ] = False,
    undo: Annotated[
        bool, typer.Option("--undo", help="Bring back all originals that are not confirmed.")
    ] = False,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Delete the originals of merged files for good.")
    ] = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Merge related memory files into fewer, in vector space; no text is read or kept anew.

    The originals are hidden, not deleted: --undo brings them back, --confirm deletes them. A
    running memory_server goes on from the merged files within seconds; a running memory_compiler
    has to be stopped first. Forgetting a merged file forgets its originals; forgetting an original
    undoes its merged file, and the other originals are back.
    """
    if dry_run + undo + confirm > 1:
        raise typer.BadParameter("give only one of --dry-run, --undo and --confirm")
    cipher = store_cipher()
    with MemoryStore(root_of(store), read_only=dry_run, cipher=cipher) as memories:
        if undo or confirm:
            _end(memories, undo, as_json)
        else:
            _begin(memories, group, imported, learned, dry_run, as_json)


def _end(memories: MemoryStore, undo: bool, as_json: bool) -> None:
    """Bring originals back, or delete them for good."""
    with memories.lock("compiler"):
        found = memories.merged.undo() if undo else memories.merged.confirm()
        PassportIndex.open(memories)
    originals = [original for one in found for original in one.originals]
    done = "undone" if undo else "confirmed"
    if as_json:
        echo_json({done: [one.id for one in found], "originals": originals})
        return
    rest = "are back" if undo else "deleted for good"
    typer.echo(f"{len(found)} merged files {done}, {len(originals)} originals {rest}")


def _begin(
    memories: MemoryStore,
    group: int,
    imported: bool,
    learned: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Merge, or say what would be."""
    from universal_memory.runtime.consolidation import Consolidator

    consolidator = Consolidator.load(memories, learned)
    before = len(memories)
    with progress() as advance:
        if dry_run:
            plan = consolidator.plan(group, imported, advance)
            merged = [
                Merged("", tuple(one.record.id for one in several)) for several in plan.groups
            ]
            after = before - sum(len(one.originals) - 1 for one in merged)
        else:
            with memories.lock("compiler"):
                _settle_buffer(memories)
                plan = consolidator.plan(group, imported, advance)
                new = {file.id for file in consolidator.consolidate(plan, advance)}
                PassportIndex.open(memories)
            merged = [one for one in memories.merged.all() if one.id in new]
            after = len(memories)
    shown: dict[str, Any] = {
        "dry_run": dry_run,
        "files_before": before,
        "files_after": after,
        "ratio": before / after if after else None,
        "merged": [{"id": one.id, "originals": list(one.originals)} for one in merged],
        "left": plan.left,
    }
    if as_json:
        echo_json(shown)
    else:
        _show(memories, shown, merged)


def _show(memories: MemoryStore, shown: dict[str, Any], merged: Sequence[Merged]) -> None:
    records = {record.id: record.provenance for record in memories.records()}
    echo_table(
        ("merged", "from", "to", "originals"),
        [
            (
                one.id[:12] or "-",
                stamp_text(min(records[original].start_stamp for original in one.originals)),
                stamp_text(max(records[original].end_stamp for original in one.originals)),
                " ".join(original[:12] for original in one.originals),
            )
            for one in merged
        ],
    )
    for reason, files in shown["left"].items():
        typer.echo(f"{files} files left alone: {reason}")
    ratio = f", {shown['ratio']:.2f} : 1" if shown["ratio"] else ""
    would = "would become" if shown["dry_run"] else "became"
    typer.echo(f"{shown['files_before']} files {would} {shown['files_after']}{ratio}")
    if merged and not shown["dry_run"]:
        typer.echo(
            "the originals are hidden; `ump memory consolidate --undo` brings them back,"
            " `--confirm` deletes them"
        )


def _settle_buffer(memories: MemoryStore) -> None:
    """Events whose compiler was killed are in their file, before that is merged."""
    from universal_memory.experience.buffer import RollingBuffer

    path = memories.root / "buffer.sqlite"
    if path.is_file():
        with RollingBuffer(path, cipher=memories.cipher) as buffer:
            buffer.recover(lambda memory_id: memory_id in memories)
