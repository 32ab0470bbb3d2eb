"""A signature covers every field, and only trusted keys count."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from universal_memory.memory.file import MemoryFile, SignatureError
from universal_memory.memory.signing import KeyFileError, Signer, key_id_of, load_trusted, verify

Maker = Callable[..., MemoryFile]


@pytest.fixture
def signer() -> Signer:
    return Signer.generate()


def test_a_signed_file_is_accepted_by_who_trusts_its_maker(make: Maker, signer: Signer) -> None:
    data = make(1, signer=signer).to_bytes()
    trusted = {signer.key_id: signer.public_key}
    assert MemoryFile.from_bytes(data, trusted=trusted).key_id == signer.key_id
    assert make(1, signer=signer).to_bytes() == data  # Ed25519 is deterministic


def test_unsigned_untrusted_and_forged_files_are_refused(make: Maker, signer: Signer) -> None:
    trusted = {signer.key_id: signer.public_key}
    with pytest.raises(SignatureError, match="not signed"):
        MemoryFile.from_bytes(make(1).to_bytes(), trusted=trusted)
    stranger = Signer.generate()
    with pytest.raises(SignatureError, match="not a trusted key"):
        MemoryFile.from_bytes(make(1, signer=stranger).to_bytes(), trusted=trusted)
    forged = replace(make(1, signer=stranger), key_id=signer.key_id)
    with pytest.raises(SignatureError, match="does not match"):
        MemoryFile.from_bytes(forged.to_bytes(), trusted=trusted)


@pytest.mark.parametrize("change", [{"counter": 2}, {"space_id": "other-space/1"}])
def test_no_field_can_be_changed(make: Maker, signer: Signer, change: dict[str, object]) -> None:
    changed = replace(make(1, signer=signer), **change)
    with pytest.raises(SignatureError, match="does not match"):
        MemoryFile.from_bytes(changed.to_bytes(), trusted={signer.key_id: signer.public_key})


def test_signature_does_not_move_to_another_memory(make: Maker, signer: Signer) -> None:
    moved = replace(
        make(2, counter=1), key_id=signer.key_id, signature=make(1, signer=signer).signature
    )
    with pytest.raises(SignatureError, match="does not match"):
        MemoryFile.from_bytes(moved.to_bytes(), trusted={signer.key_id: signer.public_key})


def test_keys_survive_on_disk(tmp_path: Path, signer: Signer) -> None:
    path = tmp_path / "robot.pem"
    signer.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Signer.load(path)
    assert verify(b"payload", again.sign(b"payload"), signer.public_key)
    assert load_trusted(tmp_path) == {key_id_of(signer.public_key): signer.public_key}
    with pytest.raises(FileExistsError):
        signer.save(path)


def test_bad_key_files_are_named(tmp_path: Path, signer: Signer) -> None:
    with pytest.raises(KeyFileError, match=r"no \*.pub key"):
        load_trusted(tmp_path)
    with pytest.raises(KeyFileError, match="cannot read"):
        Signer.load(tmp_path / "none.pem")
    (tmp_path / "bad.pub").write_text("not a key")
    with pytest.raises(KeyFileError, match=r"bad\.pub"):
        load_trusted(tmp_path)
    with pytest.raises(KeyFileError, match=r"bad\.pub"):
        Signer.load(tmp_path / "bad.pub")
    (tmp_path / "large.pub").write_bytes(b"x" * 10_000)
    (tmp_path / "bad.pub").unlink()
    with pytest.raises(KeyFileError, match="larger"):
        load_trusted(tmp_path)


def test_verify_never_raises() -> None:
    assert not verify(b"", b"", b"")
    assert not verify(b"payload", b"\0" * 64, b"\0" * 32)
    assert not verify(b"payload", b"\0" * 63, b"\xff" * 31)
