"""Conversion in place: nothing lost, nothing doubled, nothing readable, wherever it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from universal_memory.encryption import Cipher, SealError, StoreKeyError
from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event, Pose
from universal_memory.memory import conversion
from universal_memory.memory.conversion import decrypt, encrypt
from universal_memory.memory.errors import StoreError, StoreLocked
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.ledger import Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex

Maker = Callable[..., MemoryFile]
KEY, OTHER = Cipher(b"k" * 32), Cipher(b"o" * 32)
SECRET = "zanzibar"
ORIGIN = Provenance(1, 2, 3, ("audio",), f"{SECRET}.mcap", None, f"Anna went to {SECRET}.")
EVENTS = [
    Event(number * 10**9, "audio", "text", (1, 2), f"{SECRET} {number}", SECRET,
          Pose(SECRET, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)), (SECRET,), (0.5,), SECRET)
    for number in range(5)
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, make: Maker) -> Path:
    """A plain store with memories, an index, quarantine and a buffer in every state."""
    root = tmp_path / "store"
    with MemoryStore(root, space_id="test-space/1") as store:
        for seed in (1, 2):
            store.add(make(seed), ORIGIN)
        store.import_path(_written(tmp_path / f"{SECRET}.ump", b"no memory"))
        PassportIndex.open(store)
    with RollingBuffer(root / "buffer.sqlite") as buffer:
        one, two, three, *_ = [buffer.append(event) for event in EVENTS]
        buffer.mark_compiled([one], "a" * 64)
        buffer.claim([two], "b" * 64)
        buffer.mark_compiled([three], None)
    return root


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def found(root: Path) -> list[str]:
    """Files in which the secret can be read."""
    return [
        path.name
        for path in root.rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes()
    ]


def remembered(root: Path, cipher: Cipher | None) -> object:
    """All that a store knows."""
    with (
        MemoryStore(root, cipher=cipher) as store,
        RollingBuffer(root / "buffer.sqlite", cipher=cipher) as buffer,
    ):
        assert store.verify().problems == []
        return (
            [store.get(memory_id).to_bytes() for memory_id in store.ids()],
            store.records(),
            [(one.name, one.reason) for one in store.quarantined()],
            buffer.pending(),
            buffer.claims(),
            buffer.compiled_ids(),
            [buffer.append(event) for event in EVENTS],  # none is new
        )


def test_there_and_back(root: Path) -> None:
    before = remembered(root, None)
    assert found(root)
    assert encrypt(root, KEY) > 0
    assert found(root) == [] and not list((root / "index").iterdir())
    assert remembered(root, KEY) == before
    assert encrypt(root, KEY) == 0  # again: harmless
    with pytest.raises(StoreKeyError, match="is encrypted"):
        MemoryStore(root)
    assert decrypt(root, KEY) > 0
    assert remembered(root, None) == before and not (root / "encryption.json").exists()


def test_forgetting_reaches_what_was_encrypted(root: Path, make: Maker) -> None:
    encrypt(root, KEY)
    with MemoryStore(root, cipher=KEY) as store, RollingBuffer(
        root / "buffer.sqlite", cipher=KEY
    ) as buffer:
        store.forget(make(1).id)
        assert buffer.forget("a" * 64) == 1
    decrypt(root, KEY)
    with MemoryStore(root) as store:
        assert store.ids() == [make(2).id] and len(store.records()) == 1


KILLED = """
import os, signal, sys
from pathlib import Path
from universal_memory.encryption import Cipher
from universal_memory.memory import conversion
left = int(sys.argv[3])
def dying(work):
    def step(*arguments):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return work(*arguments)
    return step
for name in ("write_atomic", "write_protection", "key_statement", "_drop_index"):
    setattr(conversion, name, dying(getattr(conversion, name)))
getattr(conversion, sys.argv[2])(Path(sys.argv[1]), Cipher(b"k" * 32))
"""


@pytest.mark.parametrize("step", [1, 3, 5, 8])
def test_killed_anywhere_it_goes_on(root: Path, step: int) -> None:
    before = remembered(root, None)
    for name, run, cipher in (("encrypt", encrypt, KEY), ("decrypt", decrypt, None)):
        command = [sys.executable, "-c", KILLED, str(root), name, str(step)]
        assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
        for key in (KEY, None):
            with pytest.raises(StoreKeyError, match=r"interrupted|is encrypted"):
                MemoryStore(root, cipher=key)
        run(root, KEY)
        assert remembered(root, cipher) == before
        assert bool(found(root)) == (cipher is None)


def test_half_way_it_may_turn_back(root: Path) -> None:
    before = remembered(root, None)
    command = [sys.executable, "-c", KILLED, str(root), "encrypt", "5"]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    decrypt(root, KEY)
    assert remembered(root, None) == before


def test_another_key_changes_nothing(root: Path) -> None:
    encrypt(root, KEY)
    before = remembered(root, KEY)
    for convert in (encrypt, decrypt):
        with pytest.raises(StoreKeyError, match="is encrypted with key"):
            convert(root, OTHER)
    assert remembered(root, KEY) == before


def test_a_store_in_use_is_left_alone(root: Path) -> None:
    for role in ("compiler", "server"):
        with MemoryStore(root).lock(role), pytest.raises(StoreLocked, match=role):
            encrypt(root, KEY)
    assert found(root) and not (root / "encryption.json").exists()
    with pytest.raises(StoreError, match="no memory store"):
        encrypt(root / "absent", KEY)


def test_a_lost_marker_is_written_again(root: Path) -> None:
    encrypt(root, KEY)
    before = remembered(root, KEY)
    (root / "encryption.json").unlink()
    with pytest.raises(StoreKeyError, match="encrypted with another key"):
        encrypt(root, OTHER)
    assert not (root / "encryption.json").exists()
    assert encrypt(root, KEY) == 0
    assert remembered(root, KEY) == before


def test_a_damaged_file_stops_it_and_moved_away_lets_it_go_on(root: Path, make: Maker) -> None:
    encrypt(root, KEY)
    path = root / "files" / make(1).id[:2] / f"{make(1).id}.ump"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(SealError, match=r"remedy: move it away"):
        decrypt(root, KEY)
    path.unlink()
    decrypt(root, KEY)
    with MemoryStore(root) as store:
        assert store.ids() == [make(2).id]


def test_what_a_killed_writer_left_goes(root: Path) -> None:
    rest = _written(root / "files" / ".half.ump.x1", SECRET.encode())
    damaged = _written(root / "ledger.sqlite.damaged", SECRET.encode())
    encrypt(root, KEY)
    assert not rest.exists() and found(root) == []
    decrypt(root, KEY)
    assert damaged.read_bytes() == SECRET.encode()


def test_a_reader_of_the_log_is_waited_for_not_worked_around(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversion, "WAIT_SECONDS", 0.1)
    with RollingBuffer(root / "buffer.sqlite", read_only=True) as reader:
        reader._database.execute("BEGIN")
        reader._database.execute("SELECT * FROM events").fetchone()
        with pytest.raises(StoreError, match=r"close what has it open|locked"):
            encrypt(root, KEY)
    encrypt(root, KEY)
    assert found(root) == []


def test_the_disk_may_fill_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "write_atomic", full)
        with pytest.raises(StoreError, match="free disk space"):
            encrypt(root, KEY)
    encrypt(root, KEY)
    assert found(root) == []
