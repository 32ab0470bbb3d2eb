"""Installed whole or not at all, twice as once, and never over something else unasked."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_packages import SPACE, change_manifest, save_package, save_renderer_folder

from universal_memory.memory.signing import Signer
from universal_memory.rendering.packages import installation
from universal_memory.rendering.packages.archive import pack
from universal_memory.rendering.packages.installation import install, staged
from universal_memory.rendering.packages.manifest import PackageError
from universal_memory.rendering.packages.package import RendererPackage


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("archived", [False, True])
def test_folder_or_archive_once_and_again(tmp_path: Path, models: Path, archived: bool) -> None:
    source = save_package(tmp_path / "offered")
    (source / "stranger.py").write_text("import os")
    if archived:
        pack(source, tmp_path / "a.tar")
        source = tmp_path / "a.tar"
    package, new = install(source, models, SPACE)
    assert new and package.folder == models / "renderers" / "tiny"
    assert RendererPackage.read(package.folder).manifest == package.manifest
    before = everything(models)
    assert sorted(before) == [
        f"renderers/tiny/{name}" for name in ("README.md", "manifest.json", "renderer.safetensors")
    ]
    assert install(source, models, SPACE)[1] is False
    assert everything(models) == before
    assert [path.name for path in models.iterdir()] == ["renderers"]


def test_another_space_is_refused_whatever_is_forced(tmp_path: Path, models: Path) -> None:
    source = save_package(tmp_path / "offered")
    for force in (False, True):
        with pytest.raises(PackageError, match=r"reads space test-space/1, installed is b; remedy"):
            install(source, models, "b", force=force)
    assert not list(models.iterdir())


def test_another_renderer_is_replaced_only_by_force(tmp_path: Path, models: Path) -> None:
    mine = save_renderer_folder(models / "renderers" / "tiny")
    (mine / "README.md").write_text("# mine, trained for days\n")
    before = everything(models)
    source = save_package(tmp_path / "offered")
    with pytest.raises(PackageError, match=r"another renderer is installed as .* give --force"):
        install(source, models, SPACE)
    assert everything(models) == before
    assert install(source, models, SPACE, force=True)[1]
    assert everything(models / "renderers" / "tiny") == everything(source)
    assert [path.name for path in models.iterdir()] == ["renderers"]


def test_a_failure_half_way_leaves_what_was(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_renderer_folder(models / "renderers" / "tiny")
    before = everything(models)
    source = save_package(tmp_path / "offered")
    rename = Path.rename

    def fail(self: Path, target: Path) -> Path:
        if self.name == "package":
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises(PackageError, match="No space left on device; remedy"):
        install(source, models, SPACE, force=True)
    assert everything(models) == before


def test_what_is_refused_leaves_nothing(tmp_path: Path, models: Path) -> None:
    source = save_package(tmp_path / "offered")
    signer = Signer.generate()
    with pytest.raises(PackageError, match="the package is not signed"):
        install(source, models, SPACE, {signer.key_id: signer.public_key})
    change_manifest(source, lambda value: value.update(name="../../evil"))
    with pytest.raises(PackageError, match="name of the manifest"):
        install(source, models, SPACE)
    (source / "renderer.safetensors").write_bytes(b"")
    with pytest.raises(PackageError):
        install(source, models, SPACE)
    assert not list(models.iterdir())


def test_links_are_not_followed(tmp_path: Path, models: Path) -> None:
    source = save_package(tmp_path / "offered")
    (source / "README.md").unlink()
    (source / "README.md").symlink_to("/etc/passwd")
    with pytest.raises(PackageError, match=r"README\.md is not a plain file"):
        install(source, models, SPACE)
    (source / "README.md").unlink()
    (source / "README.md").mkdir()
    with pytest.raises(PackageError, match="not a plain file"):
        install(source, models, SPACE)


def test_an_oversized_file_of_a_folder_is_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save_package(tmp_path / "offered")
    limits = {**installation.LIMITS, "renderer.safetensors": 10}
    monkeypatch.setattr(installation, "LIMITS", limits)
    with pytest.raises(PackageError, match="has more than 10 bytes"), staged(source):
        pass


def test_nothing_and_devices_are_no_packages(tmp_path: Path, models: Path) -> None:
    for path in (tmp_path / "none.tar", Path("/dev/null")):
        with pytest.raises(PackageError, match=r"no renderer package .*remedy"):
            install(path, models, SPACE)
    with pytest.raises(PackageError, match=r"cannot write models folder .*UMP_MODELS"):
        install(save_package(tmp_path / "offered"), tmp_path / "nowhere", SPACE)
