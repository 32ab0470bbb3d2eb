"""Who may use a store: one compiler and one server at a time, and one writer at any instant.

flock(2) locks die with their process, so a killed server never leaves a store locked.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from universal_memory.memory.errors import StoreLocked, storage_error


class StoreLock:
    """A role on a store ("server", "compiler"), held by one process until it is released or dies.

    A compiler and a server may share a store; two of the same role may not. Use as a context
    manager, or call `acquire` and `release`.
    """

    def __init__(self, root: Path, role: str) -> None:
        self.role = role
        self.root = root
        self.path = root / "locks" / f"{role}.lock"
        self._descriptor: int | None = None

    def acquire(self) -> StoreLock:
        """Take the role. Raises StoreLocked naming the process that has it."""
        if self._descriptor is not None:
            return self
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise storage_error(error, "lock", self.path) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreLocked(
                f"store {self.root} is already used by a {self.role} (pid {holder}); remedy: stop "
                "that one, or give this one another store with --store or UMP_HOME"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise storage_error(error, "lock", self.path) from error
        self._descriptor = descriptor
        return self

    def release(self) -> None:
        """Give the role back; harmless if it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> StoreLock:
        return self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


@contextmanager
def writing(root: Path) -> Iterator[None]:
    """Wait until no other thread or process writes to the store, then keep them out."""
    path = root / "locks" / "write.lock"
    try:
        path.parent.mkdir(exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise storage_error(error, "lock", path) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
