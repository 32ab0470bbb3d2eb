"""Memories on their way to and from other robots: the sharing commands of `ump memory`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from universal_memory.commands.console import (
    JsonOption,
    StoreOption,
    echo_json,
    echo_problems,
    echo_table,
    root_of,
)
from universal_memory.encryption import store_cipher
from universal_memory.memory.signing import Signer, load_trusted
from universal_memory.memory.store import MemoryStore
from universal_memory.memory.trust import TrustStore

SignatureOption = Annotated[
    bool,
    typer.Option(
        "--require-signature",
        help="Refuse files of others that no trusted key signed (`ump key`).",
    ),
]
TrustedOption = Annotated[
    Path | None,
    typer.Option("--trusted", help="The same, by a folder of *.pub keys of your own."),
]


class NothingFound(RuntimeError):
    """No memory is relevant to the question that was to choose some."""


def export_memories(
    destination: Annotated[Path, typer.Argument(help="A .tar bundle, a .ump file or a folder.")],
    memory_ids: Annotated[list[str] | None, typer.Argument(help="Memory ids (4+ digits).")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Export all memories.")] = False,
    query: Annotated[
        str | None, typer.Option(help="Export the memories that would answer this question.")
    ] = None,
    top_k: Annotated[
        int, typer.Option(min=1, max=64, help="With --query: most memories to choose.")
    ] = 3,
    min_relevance: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="With --query: none below this probability."),
    ] = 0.5,
    key: Annotated[
        Path | None,
        typer.Option(help="Private key to sign what this robot made; `ump key make` makes one."),
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Copy memories out, for another robot. Provenance and text stay here.

    For example: ump memory export keys.tar --query "Where are the keys?" --key robot.pem
    """
    if bool(memory_ids) + everything + (query is not None) != 1:
        raise typer.BadParameter("name memory ids, or give --all, or give --query")
    signer = Signer.load(key) if key else None
    with MemoryStore(root_of(store), read_only=True, cipher=store_cipher()) as memories:
        relevances: dict[str, float] = {}
        if query is not None:
            relevances = _found(memories, query, top_k, min_relevance)
            ids = list(relevances)
        else:
            ids = memories.ids() if everything else [memories.resolve(i) for i in memory_ids or ()]
        paths = memories.export(ids, destination, signer)
    if as_json:
        result = {"exported": ids, "paths": [str(path) for path in paths]}
        echo_json(result | ({"relevance": relevances} if relevances else {}))
        return
    if relevances:
        rows = [(memory_id[:12], f"{relevances[memory_id]:.2f}") for memory_id in ids]
        echo_table(("memory", "relevance"), rows)
    signed = f", signed by {signer.key_id}" if signer else ""
    typer.echo(f"{len(ids)} memories exported to {destination}{signed}")


def import_memories(
    paths: Annotated[list[Path], typer.Argument(help=".ump files, folders or .tar bundles.")],
    store: StoreOption = None,
    space: Annotated[str | None, typer.Option(help="Refuse files of another space id.")] = None,
    require_signature: SignatureOption = False,
    trusted: TrustedOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in memory files of another robot; exit code 1 if any was refused, or none was found.

    What a trusted key (`ump key`) signed supersedes what it contradicts here; nothing else does.
    What is refused lies in quarantine (`ump memory quarantine`). A running memory_server answers
    from what was imported within seconds; one that requires signatures passes over the unsigned.
    """
    from universal_memory.routing.index import PassportIndex
    from universal_memory.runtime.succession import mark_taken_in

    root = root_of(store)
    keys = policy(root, require_signature, trusted)
    with MemoryStore(root, space_id=space, trusted=keys, cipher=store_cipher()) as memories:
        reports = [memories.import_path(path) for path in paths]
        added = [memory_id for report in reports for memory_id in report.added]
        mark_taken_in(memories, PassportIndex.open(memories), added)
    present = [memory_id for report in reports for memory_id in report.present]
    refused = [problem for report in reports for problem in report.refused]
    if as_json:
        echo_json({"added": added, "present": present, "refused": [asdict(p) for p in refused]})
    else:
        echo_problems(refused)
        typer.echo(
            f"{len(added)} memories imported, {len(present)} were there already, "
            f"{len(refused)} refused"
        )
    if refused or not (added or present):
        raise typer.Exit(1)


def quarantine(
    store: StoreOption = None,
    clear: Annotated[bool, typer.Option("--clear", help="Delete what lies there.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List files that were refused, and why. To try one again, import it from its path."""
    with MemoryStore(root_of(store), read_only=not clear, cipher=store_cipher()) as memories:
        files = memories.quarantined()
        if clear:
            memories.empty_quarantine()
    if as_json:
        echo_json([asdict(file) | {"path": str(file.path)} for file in files])
        return
    if files:
        echo_table(
            ("file", "offered as", "refused because"),
            [(file.path, file.name, file.reason) for file in files],
        )
    typer.echo(f"{len(files)} files in quarantine{', deleted' if clear else ''}")


def policy(
    root: Path, require_signature: bool, trusted: Path | None
) -> Mapping[str, bytes] | None:
    """Whose signatures count for the store at `root`; None: nobody has to sign."""
    if trusted is not None:
        return load_trusted(trusted)
    return TrustStore.of(root) if require_signature else None


def _found(
    memories: MemoryStore, question: str, top_k: int, min_relevance: float
) -> dict[str, float]:
    """Ids that the router picks for a question, with their relevance. Raises NothingFound."""
    if not question.strip():
        raise typer.BadParameter("the question is empty: ask something")
    from universal_memory.runtime.finder import Finder

    finder = Finder.load(memories)
    found = finder.find(finder.router.ask(question), top_k, min_relevance)
    if not found:
        raise NothingFound(
            f"no memory is relevant to {question!r}; remedy: lower --min-relevance "
            f"({min_relevance}), or name memory ids"
        )
    return {memory_id: finder.router.relevance(logit) for memory_id, logit in found}
