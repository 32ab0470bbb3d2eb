"""How a store is encrypted: `encryption.json` at its root, absent in a plain one.

It names the key, never holds it, and says whether a conversion was cut off in the middle.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from universal_memory.encryption import NAME_THE_KEY, NOT_ENCRYPTED, Cipher, StoreKeyError
from universal_memory.memory.durable import sync_folder, write_atomic
from universal_memory.memory.errors import storage_error

FILE_NAME = "encryption.json"
FORMAT = 1
CONTENTS = ("files", "incoming", "ledger.sqlite", "buffer.sqlite", "index")

State = Literal["encrypted", "encrypting", "decrypting"]


@dataclass(frozen=True)
class Protection:
    """The key of a store, and whether all of it is encrypted already (or still)."""

    key_id: str
    state: State = "encrypted"


def read_protection(root: Path) -> Protection | None:
    """How the store at `root` is encrypted; None: not at all. Raises StoreKeyError, StoreError."""
    path = root / FILE_NAME
    try:
        told = json.loads(path.read_bytes())
        found = Protection(str(told["key_id"]), told["state"])
        sound = told["format"] == FORMAT and found.state in get_args(State)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, "read", path) from error
    except (ValueError, KeyError, TypeError):
        sound = False
    if not sound:
        raise StoreKeyError(
            f"{path} is damaged; remedy: delete it and run `ump memory encrypt` with the store's"
            " key, which writes it again"
        )
    return found


def write_protection(root: Path, protection: Protection | None) -> None:
    """Replace what is said of the store at `root`. Raises StoreError."""
    path = root / FILE_NAME
    try:
        if protection is None:
            path.unlink(missing_ok=True)
            sync_folder(root)
        else:
            write_atomic(path, json.dumps({"format": FORMAT, **asdict(protection)}).encode())
    except OSError as error:
        raise storage_error(error, "write", path) from error


def protect_new(root: Path, cipher: Cipher | None) -> None:
    """Mark a store that holds nothing yet as encrypted. Expects the store's write lock."""
    if cipher is not None and not any((root / name).exists() for name in (FILE_NAME, *CONTENTS)):
        write_protection(root, Protection(cipher.key_id))


def check_protection(root: Path, cipher: Cipher | None) -> None:
    """Raise StoreKeyError unless the store at `root` is encrypted with this key (None: plain)."""
    found = read_protection(root)
    if found is None:
        if cipher is not None:
            raise StoreKeyError(f"store {root} {NOT_ENCRYPTED}")
    elif cipher is None:
        raise StoreKeyError(f"store {root} is encrypted; {NAME_THE_KEY}")
    elif cipher.key_id != found.key_id:
        raise other_key(root, found, cipher)
    elif found.state != "encrypted":
        command = found.state.removesuffix("ing")
        raise StoreKeyError(
            f"{found.state} store {root} was interrupted; remedy: run `ump memory {command}` again"
        )


def other_key(root: Path, found: Protection, cipher: Cipher) -> StoreKeyError:
    """The error for a key that is not the store's."""
    return StoreKeyError(
        f"store {root} is encrypted with key {found.key_id}, not with {cipher.key_id};"
        f" {NAME_THE_KEY}"
    )
