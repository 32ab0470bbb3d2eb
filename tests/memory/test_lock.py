"""Two servers on one store: the second is told who is first."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from universal_memory.memory.errors import StoreLocked
from universal_memory.memory.lock import StoreLock

FORK = multiprocessing.get_context("fork")


def hold(root: Path, role: str, pipe: Connection) -> None:
    with StoreLock(root, role):
        pipe.send("held")
        pipe.recv()


def test_a_second_server_learns_the_pid_of_the_first(tmp_path: Path) -> None:
    here, there = FORK.Pipe()
    other = FORK.Process(target=hold, args=(tmp_path, "server", there))
    other.start()
    there.close()
    assert here.recv() == "held"
    with pytest.raises(StoreLocked, match=rf"server \(pid {other.pid}\); remedy"):
        StoreLock(tmp_path, "server").acquire()
    with StoreLock(tmp_path, "compiler"):
        pass  # a compiler and a server share a store
    assert other.pid is not None
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    with StoreLock(tmp_path, "server"):
        pass  # a killed server leaves no lock behind


def test_one_process_cannot_play_a_role_twice(tmp_path: Path) -> None:
    with StoreLock(tmp_path, "server"), pytest.raises(StoreLocked, match=f"pid {os.getpid()}"):
        StoreLock(tmp_path, "server").acquire()
    lock = StoreLock(tmp_path, "server").acquire()
    assert lock.acquire() is lock
    lock.release()
    lock.release()
