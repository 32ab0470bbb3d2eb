"""The store keeps memories whole, whatever is killed, full or forbidden."""

from __future__ import annotations

import errno
import multiprocessing
import os
import resource
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from universal_memory.memory import shelf as shelf_module
from universal_memory.memory.errors import LedgerError, MemoryNotFound, StoreError, StoreLocked
from universal_memory.memory.file import HashError, MemoryFile, SignatureError, SpaceError
from universal_memory.memory.ledger import Provenance
from universal_memory.memory.signing import Signer
from universal_memory.memory.store import MemoryStore

Maker = Callable[..., MemoryFile]
FORK = multiprocessing.get_context("fork")


def in_another_process(work: Callable[[], None]) -> int:
    """Run `work` in a fork; its exit code, negative if a signal killed it."""
    process = FORK.Process(target=work)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def everything(root: Path) -> dict[str, bytes]:
    """All files that hold memories or may become memories."""
    folders = (root / "files", root / "incoming", root / "quarantine")
    paths = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


def test_add_then_get(store: MemoryStore, make: Maker) -> None:
    memory, origin = make(1), Provenance(compiled_stamp=9, streams=("audio/kitchen",), text="hi")
    assert store.add(memory, origin) == memory.id
    assert store.get(memory.id) == memory
    assert store.ids() == [memory.id] and memory.id in store and len(store) == 1
    record = store.record(memory.id)
    assert record is not None and record.provenance == origin
    path = store.root / "files" / memory.id[:2] / f"{memory.id}.ump"
    assert path.read_bytes() == memory.to_bytes()
    assert b"hi" not in path.read_bytes()[:400]


def test_the_same_content_again_changes_nothing(store: MemoryStore, make: Maker) -> None:
    first = Provenance(compiled_stamp=1, source="first")
    store.add(make(1), first)
    before = everything(store.root)
    assert store.add(make(1, counter=50), Provenance(source="second")) == make(1).id
    assert everything(store.root) == before
    record = store.record(make(1).id)
    assert record is not None and record.provenance == first


def test_unknown_and_malformed_ids(store: MemoryStore) -> None:
    with pytest.raises(MemoryNotFound, match="is not in store"):
        store.get("0" * 64)
    for bad in ("../../etc/passwd", "", "AB" * 32, "0" * 63, "0" * 64 + "\n"):
        with pytest.raises(MemoryNotFound, match="not a memory id"):
            store.get(bad)


def test_version_changes_when_a_memory_comes_or_goes(store: MemoryStore, make: Maker) -> None:
    seen = [store.version()]
    for change in (store.add, lambda file: store.forget(file.id)):
        time.sleep(0.02)  # folders are stamped by the kernel's tick
        change(make(1))
        assert store.version() not in seen
        seen.append(store.version())
    assert store.version() == seen[-1]


def test_resolve_finds_by_prefix(store: MemoryStore, make: Maker) -> None:
    memory_id = store.add(make(1))
    assert store.resolve(memory_id[:6]) == memory_id
    for bad in ("", memory_id[:3], "zzzz", "../..", "ffff" if memory_id[:4] != "ffff" else "0000"):
        with pytest.raises(MemoryNotFound):
            store.resolve(bad)


def test_forget_removes_file_row_and_text(store: MemoryStore, make: Maker) -> None:
    memory_id = store.add(make(1), Provenance(text="the safe code is 7391"))
    other = store.add(make(2))
    store.forget(memory_id)
    assert store.ids() == [other] and store.record(memory_id) is None
    store.close()
    for path in store.root.rglob("*"):
        assert not path.is_file() or b"7391" not in path.read_bytes()
    with pytest.raises(MemoryNotFound):
        store.forget(memory_id)


def test_space_and_trusted_keys_are_enforced(tmp_path: Path, make: Maker) -> None:
    signer = Signer.generate()
    trusted = {signer.key_id: signer.public_key}
    store = MemoryStore(tmp_path, space_id="test-space/1", trusted=trusted)
    with pytest.raises(SpaceError):
        store.add(make(1, space_id="other/1", signer=signer))
    with pytest.raises(SignatureError):
        store.add(make(1))
    assert everything(tmp_path) == {}
    imported = Provenance(imported=True)
    MemoryStore(tmp_path).add(make(1), imported)  # an unsigned copy that came first, unchecked
    with pytest.raises(SignatureError):
        store.get(make(1).id)
    store.add(make(1, signer=signer), imported)
    assert store.get(make(1).id).key_id == signer.key_id


def test_what_the_robot_made_itself_needs_no_signature(tmp_path: Path, make: Maker) -> None:
    store = MemoryStore(tmp_path, trusted={})
    memory_id = store.add(make(1), Provenance(text="seen myself"))
    assert store.get(memory_id) == make(1)
    # What somebody put into the folder without a word in the ledger is not the robot's own.
    path = store.path_of(make(2).id)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(make(2).to_bytes())
    with pytest.raises(SignatureError, match="not signed"):
        store.get(make(2).id)
    assert [problem.name for problem in store.verify().problems] == [make(2).id] * 2


def test_verify_finds_each_kind_of_damage(store: MemoryStore, make: Maker) -> None:
    ids = [store.add(make(seed)) for seed in range(1, 6)]
    assert store.verify().checked == 5 and store.verify().problems == []
    flipped = bytearray(store.path_of(ids[0]).read_bytes())
    flipped[-1] ^= 1
    store.path_of(ids[0]).write_bytes(flipped)
    store.path_of(ids[1]).write_bytes(make(99).to_bytes())
    store.path_of(ids[2]).unlink()
    store.ledger.delete(ids[3])
    problems = {problem.name: problem.reason for problem in store.verify().problems}
    assert set(problems) == set(ids[:4])
    assert "hash" in problems[ids[0]] and "holds memory" in problems[ids[1]]
    assert "file is gone" in problems[ids[2]] and "no ledger row" in problems[ids[3]]
    with pytest.raises(HashError):
        store.get(ids[0])


def test_a_damaged_file_is_healed_by_adding_it_again(store: MemoryStore, make: Maker) -> None:
    memory_id = store.add(make(1))
    store.path_of(memory_id).write_bytes(b"rubbish")
    store.add(make(1))
    assert store.get(memory_id) == make(1) and store.verify().problems == []


def test_a_rebuilt_ledger_still_knows_what_others_signed(tmp_path: Path, make: Maker) -> None:
    with MemoryStore(tmp_path) as store:
        store.add(make(1), Provenance(text="own"))
        store.add(make(2, signer=Signer.generate()), Provenance(imported=True))
    for path in tmp_path.glob("ledger.sqlite*"):
        path.unlink()
    MemoryStore(tmp_path).reindex()
    strict = MemoryStore(tmp_path, trusted={})
    assert strict.get(make(1).id) == make(1)
    with pytest.raises(SignatureError):
        strict.get(make(2).id)


def test_reindex_rebuilds_a_lost_ledger_and_keeps_a_good_one(
    store: MemoryStore, make: Maker
) -> None:
    kept, damaged, gone = (store.add(make(s), Provenance(source="bag")) for s in (1, 2, 3))
    store.path_of(damaged).write_bytes(b"rubbish")
    store.path_of(gone).unlink()
    report = store.reindex()
    assert (report.kept, report.without_provenance) == (1, [])
    assert sorted(report.dropped) == sorted([damaged, gone])
    assert [problem.name for problem in report.quarantined] == [damaged]
    record = store.record(kept)
    assert record is not None and record.provenance.source == "bag"
    store.close()
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        (store.root / name).unlink(missing_ok=True)
    assert store.reindex().without_provenance == [kept]
    record = store.record(kept)
    assert record is not None and record.counter == 1 and record.provenance == Provenance()
    assert store.verify().problems == []


def test_a_damaged_ledger_is_named_then_rebuilt(tmp_path: Path, make: Maker) -> None:
    with MemoryStore(tmp_path) as store:
        memory_id = store.add(make(1))
    (tmp_path / "ledger.sqlite").write_bytes(b"this is not a database" * 300)
    store = MemoryStore(tmp_path)
    assert store.get(memory_id) == make(1)  # memories do not need the ledger
    with pytest.raises(LedgerError, match=r"damaged.*ump memory reindex"):
        store.records()
    with pytest.raises(LedgerError, match="damaged"):
        store.add(make(2))
    assert store.ids() == [memory_id] and not list((tmp_path / "incoming").iterdir())
    assert [problem.name for problem in store.verify().problems] == ["ledger"]
    report = store.reindex()
    assert report.damaged_ledger == tmp_path / "ledger.sqlite.damaged"
    assert report.without_provenance == [memory_id]
    store.add(make(2))
    assert len(store.records()) == 2 and store.verify().problems == []


def test_verify_without_a_ledger(store: MemoryStore, make: Maker) -> None:
    memory_id = store.add(make(1))
    store.close()
    (store.root / "ledger.sqlite").unlink()
    problems = MemoryStore(store.root, read_only=True).verify().problems
    assert [(problem.name, "no ledger row" in problem.reason) for problem in problems] == [
        (memory_id, True)
    ]


def test_reindex_waits_for_nobody(store: MemoryStore) -> None:
    with store.lock("server"), pytest.raises(StoreLocked, match=str(os.getpid())):
        store.reindex()


def test_read_only_store_changes_nothing(store: MemoryStore, tmp_path: Path, make: Maker) -> None:
    memory_id = store.add(make(1))
    reader = MemoryStore(store.root, read_only=True)
    assert reader.get(memory_id) == make(1) and len(reader.records()) == 1
    assert reader.verify().problems == []
    for change in (
        lambda: reader.add(make(2)),
        lambda: reader.forget(memory_id),
        lambda: reader.import_path(store.path_of(memory_id)),
    ):
        with pytest.raises(StoreError, match="read-only"):
            change()
    with pytest.raises(StoreError, match="no memory store at"):
        MemoryStore(tmp_path / "nowhere", read_only=True)
    assert not (tmp_path / "nowhere").exists()


def test_two_processes_and_many_threads_write_one_store(store: MemoryStore, make: Maker) -> None:
    def add(first: int) -> None:
        own = MemoryStore(store.root)
        for seed in range(first, first + 15):
            own.add(make(seed), Provenance(source=str(first)))

    processes = [FORK.Process(target=add, args=(first,)) for first in (100, 110)]  # overlapping
    threads = [threading.Thread(target=add, args=(first,)) for first in (120, 130)]
    for worker in (*processes, *threads):
        worker.start()
    for worker in (*processes, *threads):
        worker.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert store.ids() == sorted(make(seed).id for seed in range(100, 145))
    assert store.verify().problems == []


@pytest.mark.parametrize(
    ("victim", "survives"), [("receive", False), ("insert", False), ("publish", True)]
)
def test_kill_9_in_the_middle_of_an_add(
    store: MemoryStore,
    make: Maker,
    monkeypatch: pytest.MonkeyPatch,
    victim: str,
    survives: bool,
) -> None:
    """Killed before the ledger commits: nothing. After: the memory with its provenance."""
    store.add(make(1))
    origin = Provenance(source="kitchen", text="weak tea")

    def add_and_die() -> None:
        own = MemoryStore(store.root)
        place = own.ledger if victim == "insert" else own._shelf
        step = getattr(place, victim)

        def die(*arguments: object) -> None:
            if victim == "receive":
                step(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(place, victim, die)
        own.add(make(2), origin)

    assert in_another_process(add_and_die) == -signal.SIGKILL
    after = MemoryStore(store.root)
    assert (make(2).id in after) is survives
    assert len(after.records()) == len(after) == 1 + survives
    assert after.verify().problems == [] and not list((after.root / "incoming").iterdir())
    after.add(make(2), origin)  # the compiler tries again
    record = after.record(make(2).id)
    assert record is not None and record.provenance == origin


def test_a_torn_incoming_file_is_dropped(store: MemoryStore, make: Maker) -> None:
    data = make(1).to_bytes()
    (store.root / "incoming" / f"{make(1).id}.ump").write_bytes(data[:5000])
    (store.root / "incoming" / f"{make(2).id}.ump").write_bytes(data)  # whole, but misnamed
    assert len(MemoryStore(store.root)) == 0
    assert not list((store.root / "incoming").iterdir())


def test_full_disk_leaves_nothing_half_written(store: MemoryStore, make: Maker) -> None:
    """A real write that the kernel cuts short: files may not grow beyond 10,000 bytes."""
    store.add(make(1))
    before = everything(store.root)

    def add_with_little_room() -> None:
        own = MemoryStore(store.root)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        with pytest.raises(StoreError, match=r"cannot write .*remedy"):
            own.add(make(2))
        assert everything(store.root) == before

    assert in_another_process(add_with_little_room) == 0
    assert everything(store.root) == before and store.verify().problems == []


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        (errno.ENOSPC, "free disk space"),
        (errno.EROFS, "remount it writable"),
        (errno.EACCES, "permission"),
    ],
)
@pytest.mark.parametrize("step", ["write_file", "sync_folder"])
def test_each_failure_has_its_remedy(
    store: MemoryStore,
    make: Maker,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    remedy: str,
    step: str,
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(shelf_module, step, fail)
        with pytest.raises(StoreError, match=remedy):
            store.add(make(1))
    assert everything(store.root) == {} and store.records() == []
    store.add(make(1))  # and it works again once there is room


def test_failing_to_publish_is_finished_later(
    store: MemoryStore, make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(StoreError, match="free disk space"):
            store.add(make(1), Provenance(source="bag"))
    assert make(1).id not in store
    after = MemoryStore(store.root)
    assert after.get(make(1).id) == make(1) and after.verify().problems == []


def test_a_folder_without_permission(make: Maker) -> None:
    with tempfile.TemporaryDirectory() as folder:  # not tmp_path, which others may not enter
        refuse_writing_in(Path(folder), make)


def refuse_writing_in(root: Path, make: Maker) -> None:
    with MemoryStore(root) as store:
        store.add(make(1))
    paths = [root, *root.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    memory = make(2)

    def add_as_nobody() -> None:
        if os.getuid() == 0:
            os.setuid(65534)
        with pytest.raises(StoreError, match=r"remedy: .*permission"):
            MemoryStore(root).add(memory)

        with MemoryStore(root, read_only=True) as reader:
            assert reader.get(make(1).id) == make(1) and len(reader.records()) == 1

    assert in_another_process(add_as_nobody) == 0
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert len(MemoryStore(root)) == 1


def test_root_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="choose a folder"):
        MemoryStore(tmp_path / "file" / "store")
