"""Models of the Hugging Face hub: from the cache without a network, else with a remedy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from transformers.utils.hub import constants

from universal_memory.runtime.hub_model import HubModelError, hub_folder, is_hub_id
from universal_memory.runtime.language_model import LanguageModel

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache on a machine without a network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def cached(cache: Path, name: str, folder: Path) -> Path:
    """`folder` in the cache, as a download leaves it."""
    root = cache / f"models--{name.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text(COMMIT)
    return Path(shutil.copytree(folder, root / "snapshots" / COMMIT))


def test_a_model_in_the_cache_is_loaded_from_there(cache: Path, tiny_folder: Path) -> None:
    folder = cached(cache, "some-one/tiny.1", tiny_folder)
    assert hub_folder("some-one/tiny.1") == folder
    model = LanguageModel("some-one/tiny.1")
    assert (model.name, model.architecture.layers) == ("some-one/tiny.1", 4)


def test_a_model_that_is_nowhere_is_told_with_the_remedy(cache: Path, tiny_folder: Path) -> None:
    told = r"no folder some-one/tiny; .* cannot be fetched: .*hf download some-one/tiny --local"
    with pytest.raises(HubModelError, match=told) as error:
        LanguageModel("some-one/tiny")
    assert str(cache) in str(error.value) and "\n" not in str(error.value)
    cut = cached(cache, "some-one/tiny", tiny_folder)  # a download that was interrupted
    (cut / "model.safetensors").unlink()
    with pytest.raises(HubModelError, match=told):
        LanguageModel("some-one/tiny")


@pytest.mark.parametrize(
    ("name", "hub"),
    [
        ("Qwen/Qwen2-0.5B", True),
        ("gpt-9", False),
        ("no/such/folder", False),
        ("/no", False),
        ("../no", False),
        ("./no", False),
        ("no/", False),
    ],
)
def test_only_owner_and_name_may_go_to_the_network(name: str, hub: bool) -> None:
    assert is_hub_id(name) is hub
