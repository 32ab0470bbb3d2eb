"""Memory files on their way in and out: single files, folders and .tar bundles.

A bundle is an uncompressed tar of `<id>.ump` files and nothing else. It is read in place, member
by member: nothing is ever extracted under a name the bundle chose.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from universal_memory.memory.durable import write_atomic
from universal_memory.memory.errors import StoreError, storage_error
from universal_memory.memory.file import MAX_FILE_BYTES, MemoryFile
from universal_memory.memory.shelf import SUFFIX

MAX_BUNDLE_BYTES = 2**30  # about 47,000 memories


@dataclass(frozen=True)
class Candidate:
    """Something offered for import: its bytes, or why they were not even read."""

    name: str
    data: bytes = b""
    refusal: str = ""


def candidates(path: Path) -> Iterator[Candidate]:
    """What `path` offers: a memory file, a folder of them (recursive) or a .tar bundle.

    Reads at most one byte more than a memory file may have. Raises StoreError if `path` itself
    cannot be read.
    """
    try:
        if path.is_dir():
            yield from _from_folder(path)
        elif path.suffix == ".tar":
            yield from _from_bundle(path)
        else:
            yield _from_file(path)
    except OSError as error:
        raise storage_error(error, "read", path) from error


def bundle_bytes(files: Iterable[MemoryFile]) -> bytes:
    """A bundle of `files`; the same memories give the same bytes."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:", format=tarfile.USTAR_FORMAT) as bundle:
        for file in sorted(files, key=lambda file: file.id):
            data = file.to_bytes()
            member = tarfile.TarInfo(file.id + SUFFIX)
            member.size = len(data)
            bundle.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def write_files(files: Sequence[MemoryFile], target: Path) -> list[Path]:
    """Write `files` to a .tar bundle, one .ump file, or a folder (made if missing).

    Returns the paths written. Raises StoreError.
    """
    if not files:
        raise StoreError("nothing to export; remedy: name at least one memory id")
    if target.suffix == ".tar":
        contents = {target: bundle_bytes(files)}
    elif target.suffix == SUFFIX and not target.is_dir():
        if len(files) > 1:
            raise StoreError(
                f"{len(files)} memories do not fit in one file {target}; "
                "remedy: export to a folder or a .tar bundle"
            )
        contents = {target: files[0].to_bytes()}
    else:
        contents = {target / f"{file.id}{SUFFIX}": file.to_bytes() for file in files}
    try:
        for path, data in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, data)
    except OSError as error:
        raise storage_error(error, "export to", target) from error
    return list(contents)


def _from_file(path: Path) -> Candidate:
    with path.open("rb") as stream:
        return Candidate(str(path), stream.read(MAX_FILE_BYTES + 1))


def _from_folder(folder: Path) -> Iterator[Candidate]:
    # listed before any is imported: the folder may be, or hold, the store that grows meanwhile
    paths = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    for path in sorted(path for path in paths if path.suffix == SUFFIX):
        if path.is_symlink() or not path.is_file():
            yield Candidate(str(path), refusal="not a regular file")
            continue
        try:
            yield _from_file(path)
        except OSError as error:
            yield Candidate(str(path), refusal=f"unreadable: {error.strerror}")


def _from_bundle(path: Path) -> Iterator[Candidate]:
    size = path.stat().st_size
    if size > MAX_BUNDLE_BYTES:
        raise StoreError(
            f"bundle {path} has {size} bytes, more than {MAX_BUNDLE_BYTES}; "
            "remedy: split it, or import a folder"
        )
    try:
        with tarfile.open(path, mode="r:") as bundle:
            for member in bundle:
                yield _from_member(bundle, member)
    except (tarfile.TarError, ValueError, OverflowError, EOFError, LookupError) as error:
        raise StoreError(
            f"{path} is not a whole uncompressed tar bundle ({error}); remedy: export it again"
        ) from error


def _from_member(bundle: tarfile.TarFile, member: tarfile.TarInfo) -> Candidate:
    name = member.name
    if "/" in name or not name.endswith(SUFFIX) or member.type != tarfile.REGTYPE:
        return Candidate(name, refusal=f"a bundle holds only {SUFFIX} files at its top")
    if member.size > MAX_FILE_BYTES:
        return Candidate(name, refusal=f"oversize: {member.size} bytes")
    stream = bundle.extractfile(member)
    return Candidate(name, stream.read(MAX_FILE_BYTES + 1) if stream else b"")
