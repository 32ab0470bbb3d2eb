"""Where the project's files lie: trained models, stores, caches, weights in packages."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

KEY_VARIABLE = "UMP_STORE_KEY"  # names the key file of an encrypted store


def models_dir() -> Path:
    """Folder of our trained weights: $UMP_MODELS, the checkout's, or the ROS package's share.

    Raises FileNotFoundError with the remedy if there is none.
    """
    if configured := os.environ.get("UMP_MODELS"):
        return Path(configured)
    checkout = Path(__file__).resolve().parent.parent / "models"
    if checkout.is_dir():
        return checkout
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        share = Path(prefix) / "share" / "universal_memory" / "models"
        if prefix and share.is_dir():
            return share
    raise FileNotFoundError(
        f"no trained models at {checkout}; remedy: set UMP_MODELS to the project's models folder"
    )


def store_root() -> Path:
    """Default memory store: $UMP_HOME, else the user's data folder."""
    if configured := os.environ.get("UMP_HOME"):
        return Path(configured)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "universal_memory"


def cache_dir() -> Path:
    """Folder for converted language models: $UMP_CACHE, else the user's cache folder."""
    if configured := os.environ.get("UMP_CACHE"):
        return Path(configured)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "universal_memory"


def package_folder(package: str, requirement: str) -> Path:
    """Folder of an installed package that carries weights, found without importing it.

    Raises FileNotFoundError with the pip command if it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            f"package {package} is not installed; remedy: pip install --no-deps {requirement}"
        )
    return Path(next(iter(spec.submodule_search_locations)))
