"""From events to files under a key: nothing that was said can be found on the disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from house import SECOND

from universal_memory.encryption import Cipher, StoreKeyError
from universal_memory.experience.buffer import RollingBuffer, RollingBufferError
from universal_memory.experience.buffered_event import identity
from universal_memory.experience.event import Event, Pose
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.passport import PassportEncoder
from universal_memory.runtime.compiler import Compiler
from universal_memory.space.semantic_space import SemanticSpace

KEY, OTHER = Cipher(b"k" * 32), Cipher(b"o" * 32)
SECRETS = ("zanzibar", "Quetzal", "day-of-the-heist", "vault")
TOKENS = (271828182845904523, 314159265358979323)
FEATURE = float(np.float32(0.123456789))
EVENTS = [
    Event(
        second * SECOND, "audio", "text", TOKENS, f"Quetzal said: meet me in zanzibar at {second}.",
        "Quetzal", Pose("vault", (1.5, 2.5, 0.0), (0.0, 0.0, 0.0, 1.0)), ("zanzibar",),
        (FEATURE,), "day-of-the-heist",
    )
    for second in (1, 100, 200)
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def opened(
    root: Path, space: SemanticSpace, passport_encoder: PassportEncoder
) -> Iterator[Compiler]:
    """A compiler over an encrypted store, held open: its logs lie there."""
    with (
        MemoryStore(root, cipher=KEY) as store,
        RollingBuffer(root / "buffer.sqlite", cipher=KEY) as buffer,
    ):
        yield Compiler(space, passport_encoder, store, buffer)


def fill(compiler: Compiler) -> None:
    for event in EVENTS:
        compiler.buffer.append(event)


def test_nothing_that_was_said_lies_on_the_disk(opened: Compiler, root: Path) -> None:
    fill(opened)
    (first, *_) = opened.compile(now=110 * SECOND).memories  # one is left open in the buffer
    PassportIndex.open(opened.store)
    file = opened.store.get(first.id)
    sought = [word.encode(form) for word in SECRETS for form in ("utf-8", "utf-16-le")]
    sought += [np.array([number], dtype="<i8").tobytes() for number in TOKENS]
    sought += [np.float32(FEATURE).tobytes(), file.passport.tobytes()[:64]]
    sought += [file.usv.tobytes()[:64], identity(EVENTS[0]), identity(EVENTS[2])]
    files = [path for path in root.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"ledger.sqlite-wal", "buffer.sqlite-wal", "passports.npy", f"{first.id}.ump"} <= names
    assert [(path.name, one) for path in files for one in sought if one in path.read_bytes()] == []


def test_the_same_is_remembered_as_in_a_plain_store(
    opened: Compiler, tmp_path: Path, space: SemanticSpace, passport_encoder: PassportEncoder
) -> None:
    fill(opened)
    reports = [opened.compile(now=500 * SECOND)]
    with (
        MemoryStore(tmp_path / "plain") as store,
        RollingBuffer(tmp_path / "plain" / "buffer.sqlite") as buffer,
    ):
        plain = Compiler(space, passport_encoder, store, buffer)
        fill(plain)
        reports.append(plain.compile(now=500 * SECOND))
        assert reports[0] == reports[1]
        assert store.records() == opened.store.records()
        assert store.ids() == opened.store.ids()
    fill(opened)
    assert opened.compile(now=900 * SECOND).memories == []  # known already, under a mask


def test_every_field_of_an_event_survives(root: Path) -> None:
    root.mkdir()
    text = "K\u00fcche \ud800 \0"
    odd = Event(2**62, "camera", "camera", (0, 2**40), text, "\u00c4nne", None, ("a",), (-1.0,))
    with RollingBuffer(root / "buffer.sqlite", cipher=KEY) as buffer:
        for event in (odd, EVENTS[0]):
            buffer.append(event)
    with RollingBuffer(root / "buffer.sqlite", read_only=True, cipher=KEY) as buffer:
        assert {row.event for row in buffer.pending()} == {odd, EVENTS[0]}
        assert buffer.statistics().tokens == 4


@pytest.mark.parametrize("cipher", [None, OTHER])
@pytest.mark.parametrize("read_only", [True, False])
def test_a_buffer_of_another_key_is_not_touched(
    root: Path, cipher: Cipher | None, read_only: bool
) -> None:
    root.mkdir()
    path = root / "buffer.sqlite"
    with RollingBuffer(path, cipher=KEY) as buffer:
        buffer.append(EVENTS[0])
    before = path.read_bytes()
    with pytest.raises(StoreKeyError, match="remedy: name its key file"):
        RollingBuffer(path, read_only=read_only, cipher=cipher)
    assert path.read_bytes() == before
    with RollingBuffer(path, cipher=KEY) as buffer:
        assert [row.event for row in buffer.pending()] == [EVENTS[0]]


def test_a_plain_buffer_is_not_mixed(root: Path) -> None:
    root.mkdir()
    RollingBuffer(root / "buffer.sqlite").close()
    with pytest.raises(StoreKeyError, match="ump memory encrypt"):
        RollingBuffer(root / "buffer.sqlite", cipher=KEY)


def test_a_tampered_event_is_told(opened: Compiler) -> None:
    fill(opened)
    opened.buffer._database.execute("UPDATE events SET text = (SELECT max(text) FROM events)")
    with pytest.raises(RollingBufferError, match=r"seal does not open.*move it away"):
        opened.buffer.pending()


def test_what_carries_nothing_new_is_erased(opened: Compiler) -> None:
    sequence = opened.buffer.append(EVENTS[0])
    opened.buffer.mark_compiled([sequence], None)
    row = opened.buffer._database.execute("SELECT * FROM events").fetchone()
    assert (row["text"], row["tokens"], row["token_count"]) == (b"", b"", 2)
