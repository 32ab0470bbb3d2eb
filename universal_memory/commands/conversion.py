"""`ump memory encrypt` and `decrypt`: a store converted in place."""

from __future__ import annotations

from pathlib import Path

import typer

from universal_memory.commands.console import JsonOption, StoreOption, echo_json, root_of
from universal_memory.encryption import NAME_THE_KEY, Cipher, StoreKeyError, store_cipher


def encrypt(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Encrypt a store in place, with the key of UMP_STORE_KEY or `ump --store-key FILE`.

    Stop the robot's nodes first. If it is interrupted, run it again. Whoever loses the key loses
    the store: keep a copy of it elsewhere. `ump key make FILE --encryption` makes one.
    """
    from universal_memory.memory.conversion import encrypt as convert

    root, cipher = root_of(store), _key()
    _tell(root, convert(root, cipher), cipher, "encrypted", as_json)


def decrypt(store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Decrypt a store in place, with the key of UMP_STORE_KEY or `ump --store-key FILE`.

    Stop the robot's nodes first. If it is interrupted, run it again.
    """
    from universal_memory.memory.conversion import decrypt as convert

    root, cipher = root_of(store), _key()
    _tell(root, convert(root, cipher), cipher, "decrypted", as_json)


def _key() -> Cipher:
    cipher = store_cipher()
    if cipher is None:
        raise StoreKeyError(f"no key was named; {NAME_THE_KEY}")
    return cipher


def _tell(root: Path, files: int, cipher: Cipher, done: str, as_json: bool) -> None:
    if as_json:
        echo_json({"store": str(root), "key_id": cipher.key_id, done: files})
    else:
        typer.echo(f"store {root} is {done}, key {cipher.key_id}: {files} files converted now")
