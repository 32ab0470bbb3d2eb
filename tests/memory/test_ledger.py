"""The ledger keeps provenance, shares it between processes and says what is wrong with it."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from universal_memory.memory.errors import LedgerError
from universal_memory.memory.ledger import Ledger, Provenance, Record, salvage

FULL = Provenance(
    compiled_stamp=1_700_000_000_123_456_789,
    start_stamp=5,
    end_stamp=9,
    streams=("audio/kitchen", "camera/front"),
    source="household_day",
    pose={"frame_id": "map", "position": [1.0, 2.0, 0.5], "orientation": [0, 0, 0, 1]},
    text="Anna said: my tea should be weak. 茶",
    imported=False,
)


def row(number: int, **changes: object) -> Record:
    return Record(f"{number:064x}", number, "test-space/1", "", Provenance(**changes))  # type: ignore[arg-type]


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def test_rows_come_back_whole(ledger: Ledger) -> None:
    record = Record("a" * 64, 3, "test-space/1", "0" * 32, FULL)
    ledger.insert(record)
    ledger.insert(row(1))
    assert ledger.get("a" * 64) == record
    assert ledger.get(f"{1:064x}") == row(1)
    assert ledger.get("b" * 64) is None
    assert ledger.ids() == {"a" * 64, f"{1:064x}"}


def test_rows_are_ordered_by_compilation(ledger: Ledger) -> None:
    for number, stamp in ((1, 30), (2, 10), (3, 20)):
        ledger.insert(row(number, compiled_stamp=stamp))
    assert [record.counter for record in ledger.records()] == [2, 3, 1]


def test_a_counter_is_never_used_twice(ledger: Ledger) -> None:
    assert ledger.next_counter() == 1
    ledger.insert(row(1))
    ledger.insert(row(7))
    ledger.insert(row(1000, imported=True))  # another robot's counter says nothing about ours
    assert ledger.next_counter() == 8
    ledger.delete(f"{7:064x}")
    assert ledger.next_counter() == 8


def test_deleted_text_is_gone_from_the_disk(tmp_path: Path, ledger: Ledger) -> None:
    secret = "the safe code is 7391"
    ledger.insert(row(1, text=secret))
    ledger.insert(row(2, text="other"))
    ledger.delete(f"{1:064x}")
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret.encode() not in left and b"other" in left


def test_other_connections_and_threads_see_rows_at_once(ledger: Ledger) -> None:
    reader = Ledger(ledger.path, read_only=True)
    threads = [threading.Thread(target=ledger.insert, args=(row(n),)) for n in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reader.ids()) == 20
    with pytest.raises(LedgerError, match="remedy: make the store writable"):
        reader.insert(row(99))


def test_opens_read_only_where_no_file_can_be_made(tmp_path: Path) -> None:
    """A ledger copied without its -wal and -shm onto a read-only disk."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.insert(row(1))
    ledger.close()
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / "ledger.sqlite").write_bytes((tmp_path / "ledger.sqlite").read_bytes())
    for name in ("ledger.sqlite-wal", "ledger.sqlite-shm"):
        (folder / name).mkdir()  # even root cannot open these as files
    assert Ledger(folder / "ledger.sqlite", read_only=True).ids() == {f"{1:064x}"}


@pytest.mark.parametrize("damage", ["not a database at all" * 100, ""])
def test_damage_is_named_with_the_remedy(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "ledger.sqlite"
    ledger = Ledger(path)
    for number in range(50):
        ledger.insert(row(number, text="x" * 400))
    ledger.close()
    data = bytearray(path.read_bytes())
    if damage:
        data[: len(damage)] = damage.encode()
    else:
        data[8192:12288] = b"\xa5" * 4096  # one page in the middle
    path.write_bytes(bytes(data))
    with pytest.raises(LedgerError, match=r"damaged.*ump memory reindex"):
        Ledger(path).check()


def test_salvage_saves_what_is_readable(tmp_path: Path, ledger: Ledger) -> None:
    for number in range(200):
        ledger.insert(row(number, text="x" * 400))
    ledger.close()
    path = ledger.path
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    saved = salvage(path)
    assert all(record == row(record.counter, text="x" * 400) for record in saved)
    assert salvage(tmp_path / "none.sqlite") == []


def test_foreign_rows_and_versions_are_refused(ledger: Ledger) -> None:
    ledger.insert(row(1))
    with sqlite3.connect(ledger.path) as connection:
        connection.execute("UPDATE memories SET streams = '{broken'")
    with pytest.raises(LedgerError, match="damaged"):
        ledger.records()
    with sqlite3.connect(ledger.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(LedgerError, match="schema 99"):
        Ledger(ledger.path)
