"""Renderer packages on their way in: copied, checked, and put in place whole or not at all.

What is checked is a private copy, so that nobody can change it between the check and its use.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from universal_memory.memory.durable import sync_folder
from universal_memory.rendering.packages.archive import LIMITS, copy, unpack
from universal_memory.rendering.packages.manifest import Manifest, PackageError
from universal_memory.rendering.packages.package import UNWRITABLE, RendererPackage, file_entry

RENDERERS = "renderers"


@contextmanager
def staged(path: Path, within: Path | None = None) -> Iterator[Path]:
    """A private copy of the package at `path`, a folder or an archive; it is gone afterwards.

    `within`: the folder to make it in. Raises PackageError if there is none.
    """
    if not (path.is_dir() or path.is_file()):
        raise PackageError(
            "unreadable", f"no renderer package {path}; remedy: name a folder or an archive"
        )
    with tempfile.TemporaryDirectory(prefix=".renderer-", dir=within) as scratch:
        folder = Path(scratch) / "package"
        folder.mkdir()
        try:
            if path.is_dir():
                _copy_files(path, folder)
            else:
                unpack(path, folder)
        except OSError as error:
            raise PackageError(
                "unreadable",
                f"cannot copy {path}: {error.strerror or error}; remedy: check it, and that there"
                f" is room in {folder.parent.parent}",
            ) from error
        yield folder


def install(
    path: Path,
    models: Path,
    space_id: str,
    trusted: Mapping[str, bytes] | None = None,
    force: bool = False,
) -> tuple[RendererPackage, bool]:
    """Put a package into the models folder, whole or not at all; whether it was not there yet.

    `space_id`: the space that is installed. Raises PackageError for a package that breaks a rule,
    is of another space, or (without `force`) would replace another renderer.
    """
    if not os.access(models, os.W_OK):
        raise PackageError("unwritable", f"cannot write models folder {models}; {UNWRITABLE}")
    with staged(path, models) as folder:
        package = RendererPackage.read(folder, trusted)
        manifest = package.manifest
        check_space(manifest, space_id)
        target = models / RENDERERS / manifest.name
        package = RendererPackage(target, manifest, package.key_id)
        if target.exists():
            if _contents(target) == _contents(folder):
                return package, False
            if not force:
                raise PackageError(
                    "exists",
                    f"another renderer is installed as {target}; remedy: give --force to replace"
                    " it, after `ump renderer pack` if it shall be kept",
                )
        try:
            _replace(target, folder)
        except OSError as error:
            raise PackageError(
                "unwritable", f"cannot write {target}: {error.strerror or error}; {UNWRITABLE}"
            ) from error
    return package, True


def _replace(target: Path, folder: Path) -> None:
    """Move `folder` to `target`; what was there is gone, or still there if this fails."""
    for path in folder.iterdir():
        with path.open("rb") as stream:
            os.fsync(stream.fileno())
    target.parent.mkdir(exist_ok=True)
    old = folder.with_name("old")
    if target.exists():
        target.rename(old)
    try:
        folder.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    sync_folder(target.parent)


def check_space(manifest: Manifest, space_id: str) -> None:
    """Raise PackageError unless the renderer reads the space `space_id`."""
    if manifest.space_id != space_id:
        raise PackageError(
            "space",
            f"renderer {manifest.name} reads space {manifest.space_id}, installed is {space_id};"
            " remedy: get a renderer of that space, install the space it was trained for"
            " (UMP_MODELS), or train one with `ump train renderer`",
        )


def _copy_files(source: Path, folder: Path) -> None:
    """The files that a package may have, as private copies; other files are left out."""
    for name, most in LIMITS.items():
        path = source / name
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise PackageError("archive", f"{path} is not a plain file; remedy: copy it there")
        if path.exists():
            with path.open("rb") as stream, (folder / name).open("xb") as target:
                if copy(stream, target, most + 1) > most:
                    raise PackageError("oversize", f"{path} has more than {most} bytes")


def _contents(folder: Path) -> dict[str, str]:
    return {name: file_entry(folder / name).sha256 for name in LIMITS if (folder / name).is_file()}
