"""Weights on disk: half precision, a card, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from universal_memory import weights
from universal_memory.weights import WeightsError, digest, load_weights, read_card, save_weights

CARD = {"seed": 3, "scores": {"held_out_1": 0.5}}


@pytest.fixture
def module() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))


def test_come_back_rounded_to_half(module: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "w.safetensors"
    save_weights(path, module, CARD)
    assert {tensor.dtype for tensor in load_file(path).values()} == {torch.float16}
    loaded = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    load_weights(path, loaded)
    assert read_card(path) == CARD
    for name, value in module.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value.half().float())


def test_digest_is_of_what_is_written(module: nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, module, CARD)
    loaded = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))
    assert digest(loaded) != digest(module)
    load_weights(path, loaded)
    assert digest(loaded) == digest(module)


def test_a_cut_leaves_the_old_file(
    module: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, module, CARD)
    before = path.read_bytes()

    def cut(_tensors: object, target: str, **_: object) -> None:
        Path(target).write_bytes(b"half a fi")
        raise OSError("No space left on device")

    monkeypatch.setattr(weights, "save_file", cut)
    with pytest.raises(OSError, match="No space"):
        save_weights(path, module, {"seed": 4})
    assert path.read_bytes() == before


@pytest.mark.parametrize("read", [read_card, lambda path: load_weights(path, nn.Linear(1, 1))])
def test_missing_file_names_the_remedy(read: object, tmp_path: Path) -> None:
    assert callable(read)
    with pytest.raises(FileNotFoundError, match=r"remedy: restore models/.*`ump train`"):
        read(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    "damage", [lambda data: data[:40], lambda data: b"", lambda data: b"x" * 99]
)
def test_damaged_file_is_refused(damage: object, module: nn.Module, tmp_path: Path) -> None:
    assert callable(damage)
    path = tmp_path / "w.safetensors"
    save_weights(path, module, CARD)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(WeightsError, match="remedy"):
        load_weights(path, module)
    with pytest.raises(WeightsError, match="no readable card"):
        read_card(path)


@pytest.mark.parametrize(
    "other", [nn.Linear(3, 4), nn.Sequential(nn.Linear(9, 4), nn.LayerNorm(4))]
)
def test_weights_of_another_module_are_refused(
    other: nn.Module, module: nn.Module, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(path, module, CARD)
    with pytest.raises(WeightsError, match=rf"(?s)do not fit {type(other).__name__}.*remedy"):
        load_weights(path, other)


def test_file_without_a_card_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    for metadata in (None, {"other": "1"}, {"card": "{"}):
        save_file({"a": torch.zeros(1)}, path, metadata=metadata)
        with pytest.raises(WeightsError, match="no readable card"):
            read_card(path)
