"""Golden vectors on disk: what was written, or a refusal with the remedy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from universal_memory.space.golden import GoldenVectors
from universal_memory.weights import WeightsError

GOLDEN = GoldenVectors(
    "s/1", ("one", "zwei é"), np.ones((2, 16, 256), np.float32), np.eye(2, 1024, dtype=np.float32)
)


def test_come_back(tmp_path: Path) -> None:
    GOLDEN.save(tmp_path / "g.safetensors")
    loaded = GoldenVectors.load(tmp_path / "g.safetensors")
    assert (loaded.space_id, loaded.texts) == (GOLDEN.space_id, GOLDEN.texts)
    assert np.array_equal(loaded.usv, GOLDEN.usv)
    assert np.array_equal(loaded.passport, GOLDEN.passport)


@pytest.mark.parametrize(
    ("shape", "metadata"),
    [
        ((2, 16, 256), None),
        ((2, 16, 256), {"space_id": "s/1", "texts": "["}),
        ((2, 16, 256), {"space_id": "s/1", "texts": '["one"]'}),
        ((2, 16, 256), {"space_id": "s/1", "texts": '["one", " "]'}),
        ((2, 16, 256), {"space_id": "s/1", "texts": "7"}),
        ((2, 16, 255), {"space_id": "s/1", "texts": '["one", "two"]'}),
    ],
)
def test_others_are_refused(
    tmp_path: Path, shape: tuple[int, ...], metadata: dict[str, str] | None
) -> None:
    path = tmp_path / "g.safetensors"
    save_file({"usv": np.ones(shape, np.float32), "passport": GOLDEN.passport}, path, metadata)
    with pytest.raises(WeightsError, match="remedy: write it with"):
        GoldenVectors.load(path)


def test_every_text_has_a_passport(tmp_path: Path) -> None:
    path, metadata = tmp_path / "g.safetensors", {"space_id": "s/1", "texts": '["one", "two"]'}
    for tensors in ({"usv": GOLDEN.usv}, {"usv": GOLDEN.usv, "passport": GOLDEN.passport[:1]}):
        save_file(tensors, path, metadata)
        with pytest.raises(WeightsError, match="remedy: write it with"):
            GoldenVectors.load(path)


def test_missing_and_damaged_files_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="--write-golden"):
        GoldenVectors.load(tmp_path / "none")
    (tmp_path / "damaged").write_bytes(b"x" * 99)
    with pytest.raises(WeightsError, match="--write-golden"):
        GoldenVectors.load(tmp_path / "damaged")
