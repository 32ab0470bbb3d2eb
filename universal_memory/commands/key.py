"""`ump key`: whose memories a robot takes in, and the keys that sign its own and seal its store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from universal_memory.commands.console import (
    JsonOption,
    StoreOption,
    echo_json,
    echo_table,
    root_of,
)
from universal_memory.encryption import Cipher
from universal_memory.memory.signing import Signer
from universal_memory.memory.trust import TrustedKey, TrustStore

app = typer.Typer(no_args_is_help=True, add_completion=False)

FolderOption = Annotated[
    Path | None,
    typer.Option("--trusted", help="Folder of trusted *.pub keys; else trusted_keys in the store."),
]


@app.callback()
def key() -> None:
    """Make a signing key; list, add and remove the keys of robots that are trusted."""


@app.command()
def make(
    path: Annotated[Path, typer.Argument(help="File for the private key: a new one.")],
    encryption: Annotated[
        bool, typer.Option("--encryption", help="A key that encrypts a store, for --store-key.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a key that signs memories, and PATH.pub for those who shall trust it.

    With --encryption one that encrypts a store: without it nobody can read that store again.
    """
    if encryption:
        cipher = Cipher.generate()
        cipher.save(path)
        if as_json:
            echo_json({"key_id": cipher.key_id, "private": str(path)})
        else:
            typer.echo(f"key {cipher.key_id} written to {path}; keep a copy: without it no store")
        return
    signer = Signer.generate()
    signer.save(path)
    if as_json:
        echo_json({"key_id": signer.key_id, "private": str(path), "public": f"{path}.pub"})
    else:
        typer.echo(f"key {signer.key_id} written to {path} (keep it) and {path}.pub (hand it out)")


@app.command("list")
def list_keys(
    store: StoreOption = None, trusted: FolderOption = None, as_json: JsonOption = False
) -> None:
    """List the keys that are trusted."""
    trust = _trust(store, trusted)
    keys = trust.entries()
    if as_json:
        echo_json([_row(key) for key in keys])
    elif keys:
        echo_table(("name", "key id"), [(key.name, key.key_id) for key in keys])
    else:
        typer.echo(f"no key is trusted: `ump key add` puts one into {trust.folder}")


@app.command()
def add(
    path: Annotated[Path, typer.Argument(help="Public key of another robot: its *.pub file.")],
    name: Annotated[str, typer.Option(help="Label to list it under; else the file's name.")] = "",
    store: StoreOption = None,
    trusted: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trust a key from now on. Compare its id with the one that its owner tells you."""
    trust = _trust(store, trusted)
    key = trust.add(path, name)
    if as_json:
        echo_json(_row(key))
    else:
        typer.echo(f"key {key.key_id} is trusted as {key.name}, in {trust.folder}")


@app.command()
def remove(
    key: Annotated[str, typer.Argument(help="Label of the key, or the first digits of its id.")],
    store: StoreOption = None,
    trusted: FolderOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trust a key no longer. A running memory_server may hold its memories until it restarts."""
    trust = _trust(store, trusted)
    removed = trust.remove(key)
    if as_json:
        echo_json(_row(removed))
    else:
        typer.echo(f"key {removed.key_id} ({removed.name}) is no longer trusted in {trust.folder}")


def _trust(store: Path | None, folder: Path | None) -> TrustStore:
    return TrustStore(folder) if folder is not None else TrustStore.of(root_of(store))


def _row(key: TrustedKey) -> dict[str, str]:
    return {"name": key.name, "key_id": key.key_id}
