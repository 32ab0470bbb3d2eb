"""A renderer package as one file: an uncompressed tar of its few files, all at its top.

An archive is untrusted. It is read header by header, 512 bytes each, and only plain files of the
four names that a package has are ever written, under those names: links, folders, devices, paths
and the extensions of tar (long names, sparse files, PAX) are refused, whatever they say.
"""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import BinaryIO

from universal_memory.memory.format import shown
from universal_memory.rendering.packages.manifest import MAX_BYTES, PackageError

MANIFEST, SIGNATURE = "manifest.json", "signature.json"
LIMITS = {MANIFEST: 64 * 2**10, SIGNATURE: 2**10, **MAX_BYTES}  # name → most bytes, in their order
SUFFIX = ".tar"
REMEDY = "remedy: make the archive with `ump renderer pack`"
_BLOCK = tarfile.BLOCKSIZE
_CHUNK = 2**20


def unpack(archive: Path, folder: Path) -> None:
    """Write the files of `archive` into the empty `folder`. Raises PackageError, OSError."""
    with archive.open("rb") as stream:
        names: set[str] = set()
        while (header := _next_header(stream, archive)) is not None:
            if header.name not in LIMITS or header.type != tarfile.REGTYPE:
                raise PackageError(
                    "archive",
                    f"{archive} holds {shown(header.name)} (type {shown(header.type)}): a renderer"
                    f" package holds plain files {', '.join(LIMITS)} at its top; {REMEDY}",
                )
            if header.name in names:
                raise PackageError("archive", f"{archive} holds {header.name} twice; {REMEDY}")
            if not 0 <= header.size <= LIMITS[header.name]:
                raise PackageError(
                    "oversize",
                    f"{header.name} in {archive} has {header.size} bytes; at most"
                    f" {LIMITS[header.name]} are allowed",
                )
            names.add(header.name)
            with (folder / header.name).open("xb") as target:
                copied = copy(stream, target, header.size)
            stream.seek(-header.size % _BLOCK, os.SEEK_CUR)
            if copied < header.size:
                raise PackageError(
                    "archive", f"{archive} ends within {header.name}; remedy: fetch it again"
                )


def pack(folder: Path, archive: Path) -> None:
    """Write the files of the package in `folder` as `archive`, whole or not at all.

    The same files give the same bytes. Raises PackageError.
    """
    scratch = archive.with_name(f".{archive.name}.partial")
    try:
        with scratch.open("wb") as stream:
            for name in LIMITS:
                if not (folder / name).is_file():
                    continue
                with (folder / name).open("rb") as source:
                    info = tarfile.TarInfo(name)
                    info.size = os.fstat(source.fileno()).st_size
                    stream.write(info.tobuf(tarfile.USTAR_FORMAT))
                    copy(source, stream, info.size)
                    stream.write(bytes(-info.size % _BLOCK))
            stream.write(bytes(2 * _BLOCK))
            stream.flush()
            os.fsync(stream.fileno())
        scratch.replace(archive)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise PackageError(
            "unwritable",
            f"cannot write {archive}: {error.strerror or error}; remedy: check path and disk, or"
            " name another with --output",
        ) from error


def copy(source: BinaryIO, target: BinaryIO, size: int) -> int:
    """Copy at most `size` bytes; how many there were."""
    left = size
    while left and (chunk := source.read(min(left, _CHUNK))):
        target.write(chunk)
        left -= len(chunk)
    return size - left


def _next_header(stream: BinaryIO, archive: Path) -> tarfile.TarInfo | None:
    """The header of the next file; None at the block of zeros that ends an archive."""
    block = stream.read(_BLOCK)
    if len(block) == _BLOCK and not any(block):
        return None
    try:
        return tarfile.TarInfo.frombuf(block, "ascii", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise PackageError(
            "archive", f"{archive} is not a whole uncompressed tar ({error}); {REMEDY}"
        ) from error
