"""What an archive may write, and all that it may not."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from tiny_packages import save_package, tar_of

from universal_memory.memory.signing import Signer
from universal_memory.rendering.packages import archive as archives
from universal_memory.rendering.packages.archive import pack, unpack
from universal_memory.rendering.packages.manifest import PackageError

FILE = tarfile.REGTYPE
MANIFEST = ("manifest.json", FILE, b"{}")


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def test_the_same_files_come_back_and_any_tar_reads_them(tmp_path: Path, empty: Path) -> None:
    folder = save_package(tmp_path / "tiny", signer=Signer.generate())
    (folder / "notes.txt").write_text("stays here")
    pack(folder, tmp_path / "a.tar")
    pack(folder, tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()
    unpack(tmp_path / "a.tar", empty)
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert archive.getnames() == list(archives.LIMITS)
    for name in archives.LIMITS:
        assert (empty / name).read_bytes() == (folder / name).read_bytes()
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    "member",
    [
        ("../manifest.json", FILE, b""),
        ("/tmp/manifest.json", FILE, b""),
        ("tiny/manifest.json", FILE, b""),
        ("./manifest.json", FILE, b""),
        ("evil.py", FILE, b"import os"),
        ("renderer.bin", FILE, b"a pickle"),
        ("manifest.json" + "x" * 200, FILE, b""),  # a PAX header goes before it
        ("manifest.json", tarfile.SYMTYPE, b""),
        ("manifest.json", tarfile.LNKTYPE, b""),
        ("manifest.json", tarfile.DIRTYPE, b""),
        ("manifest.json", tarfile.CHRTYPE, b""),
        ("manifest.json", tarfile.FIFOTYPE, b""),
        ("manifest.json", tarfile.GNUTYPE_SPARSE, b""),
        ("manifest.json", tarfile.CONTTYPE, b""),
        ("manifest.json\x1b[2J", FILE, b""),
    ],
)
def test_only_plain_files_of_a_package(
    tmp_path: Path, empty: Path, member: tuple[str, bytes, bytes]
) -> None:
    archive = tar_of(tmp_path / "bad.tar", member)
    with pytest.raises(PackageError, match=r"plain files manifest\.json, signature") as refused:
        unpack(archive, empty)
    assert refused.value.reason == "archive" and "\x1b" not in str(refused.value)
    assert not list(empty.iterdir())


def test_one_of_each_and_none_too_large(
    tmp_path: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PackageError, match=r"manifest\.json twice"):
        unpack(tar_of(tmp_path / "two.tar", MANIFEST, MANIFEST), empty)
    (empty / "manifest.json").unlink()
    large = tar_of(tmp_path / "large.tar", ("signature.json", FILE, b"x" * 1025))
    with pytest.raises(PackageError, match="has 1025 bytes; at most 1024") as refused:
        unpack(large, empty)
    assert refused.value.reason == "oversize"


@pytest.mark.parametrize("size", [-1, 2**40])
def test_sizes_that_lie_reserve_nothing(tmp_path: Path, empty: Path, size: int) -> None:
    info = tarfile.TarInfo("renderer.safetensors")
    info.size = size
    (tmp_path / "bad.tar").write_bytes(info.tobuf(tarfile.GNU_FORMAT))
    with pytest.raises(PackageError, match="bytes; at most"):
        unpack(tmp_path / "bad.tar", empty)


@pytest.mark.parametrize("length", [1, 511, 513, 700, 1024])
def test_a_cut_archive_is_refused(tmp_path: Path, empty: Path, length: int) -> None:
    whole = tar_of(tmp_path / "a.tar", ("manifest.json", FILE, b"x" * 600)).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:length])
    with pytest.raises(PackageError, match="remedy"):
        unpack(tmp_path / "cut.tar", empty)


@pytest.mark.parametrize("data", [b"", b"\x1f\x8b" * 600, b"a" * 2048])
def test_no_tar_at_all(tmp_path: Path, empty: Path, data: bytes) -> None:
    (tmp_path / "no.tar").write_bytes(data)
    with pytest.raises(PackageError, match="not a whole uncompressed tar"):
        unpack(tmp_path / "no.tar", empty)


def test_a_disk_that_says_no_leaves_nothing(tmp_path: Path) -> None:
    folder = save_package(tmp_path / "tiny")
    with pytest.raises(PackageError, match=r"cannot write .*remedy"):
        pack(folder, tmp_path / "none" / "a.tar")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
