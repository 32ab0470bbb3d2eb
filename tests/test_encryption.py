"""Sealing: whatever goes in comes out, for nobody but the owner of the key."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from universal_memory.encryption import (
    OVERHEAD,
    Cipher,
    SealError,
    StoreKeyError,
    check_database_key,
    is_sealed,
    key_statement,
    store_cipher,
)

KEY, OTHER = Cipher(bytes(range(32))), Cipher(bytes(32))
VALUES = st.none() | st.binary(max_size=40) | st.text(st.characters(), max_size=40)


@given(st.binary(max_size=2000), st.text(max_size=20))
def test_any_bytes_come_back(data: bytes, context: str) -> None:
    sealed = KEY.seal(data, context)
    assert KEY.open(sealed, context) == data
    assert is_sealed(sealed) and len(sealed) == len(data) + OVERHEAD
    assert KEY.seal(data, context) != sealed


@given(st.lists(VALUES, max_size=8))
def test_any_row_comes_back(values: list[str | bytes | None]) -> None:
    assert KEY.open_values(KEY.seal_values(values, "row"), "row") == values


@given(st.binary(max_size=200), st.data())
def test_what_was_tampered_with_is_refused(data: bytes, draw: st.DataObject) -> None:
    sealed = bytearray(KEY.seal(data))
    place = draw.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= draw.draw(st.integers(1, 255))
    with pytest.raises(SealError):
        KEY.open(bytes(sealed))


@given(st.binary(max_size=80))
def test_bytes_that_nobody_sealed_are_refused(data: bytes) -> None:
    with pytest.raises(SealError):
        KEY.open(data)
    with pytest.raises(SealError):
        KEY.open(KEY.seal(b"tea")[: len(data)])


@given(st.text(max_size=9), st.text(max_size=9))
def test_another_key_or_place_is_refused(here: str, there: str) -> None:
    assume(here != there)
    sealed = KEY.seal(b"tea", here)
    with pytest.raises(SealError):
        OTHER.open(sealed, here)
    with pytest.raises(SealError):
        KEY.open(sealed, there)


@given(st.binary(min_size=16, max_size=16))
def test_masks_keep_equality_and_can_be_taken_off(digest: bytes) -> None:
    assert KEY.mask(digest) == KEY.mask(digest) != OTHER.mask(digest)
    assert KEY.unmask(KEY.mask(digest)) == digest


def test_a_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.key"
    monkeypatch.delenv("UMP_STORE_KEY", raising=False)
    assert store_cipher() is None
    made = Cipher.generate()
    made.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(FileExistsError):
        OTHER.save(path)
    named = store_cipher(path)
    monkeypatch.setenv("UMP_STORE_KEY", str(path))
    default = store_cipher()
    assert named is not None and default is not None
    assert named.key_id == default.key_id == made.key_id != KEY.key_id
    assert default.open(made.seal(b"tea")) == b"tea"


@pytest.mark.parametrize("text", ["", "tea", "AAAA", "not base64!", "\u00e9" * 44])
def test_what_is_no_key_file_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "store.key"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StoreKeyError, match=r"is no store key .*remedy"):
        Cipher.load(path)
    with pytest.raises(StoreKeyError, match=r"cannot read store key .*remedy"):
        Cipher.load(tmp_path / "absent")


def test_a_database_says_whose_it_is(tmp_path: Path) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL)")
    for owner in (None, KEY, OTHER, None):
        database.execute(key_statement(owner))
        for cipher in (None, KEY, OTHER):
            if cipher is owner:
                check_database_key(database, cipher, tmp_path)
            else:
                with pytest.raises(StoreKeyError, match="remedy"):
                    check_database_key(database, cipher, tmp_path)
