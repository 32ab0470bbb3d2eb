"""What can go wrong with a store of memories; every message carries the path and the remedy."""

from __future__ import annotations

import errno
from pathlib import Path

_REMEDIES = {
    errno.ENOSPC: "free disk space, or choose another store with --store or UMP_HOME",
    errno.EDQUOT: "free some of the disk quota, or choose another store with --store or UMP_HOME",
    errno.EFBIG: "raise the file size limit (ulimit -f)",
    errno.EROFS: "remount it writable, or choose another store with --store or UMP_HOME",
    errno.EACCES: "give this user read and write permission, or choose another store",
    errno.EPERM: "give this user read and write permission, or choose another store",
    errno.ENOTDIR: "choose a folder, not a file",
    errno.ENOENT: "check the path",
}


class StoreError(RuntimeError):
    """The store could not do what was asked; nothing was half done."""


class StoreLocked(StoreError):
    """Another process already plays this role on this store."""


class MemoryNotFound(StoreError, KeyError):
    """No memory with that id is in the store (never was, or was forgotten)."""

    def __str__(self) -> str:
        return str(self.args[0])


class LedgerError(StoreError):
    """The ledger cannot be read or written; files are not affected."""


def storage_error(error: OSError, action: str, path: Path) -> StoreError:
    """A StoreError that says what failed where, and what to do about it."""
    remedy = _REMEDIES.get(error.errno or 0, "check the disk and the path")
    return StoreError(f"cannot {action} {path}: {error.strerror or error}; remedy: {remedy}")
