"""Training states on disk: whole or the old one, and never code."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from universal_memory.training import checkpoint
from universal_memory.training.checkpoint import load_state, save_state


def test_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    parameter = torch.nn.Parameter(torch.randn(3))
    optimizer = torch.optim.AdamW([parameter])
    parameter.sum().backward()
    optimizer.step()
    path = tmp_path / "run" / "checkpoint.pt"
    save_state(path, {"optimizer": optimizer.state_dict(), "weight": parameter, "step": 7})
    state = load_state(path)
    assert state is not None
    assert state["step"] == 7
    assert torch.equal(state["weight"], parameter)
    moment = optimizer.state_dict()["state"][0]["exp_avg"]
    assert torch.equal(state["optimizer"]["state"][0]["exp_avg"], moment)


def test_none_if_there_is_none(tmp_path: Path) -> None:
    assert load_state(tmp_path / "checkpoint.pt") is None


def test_a_cut_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    save_state(path, {"step": 1})

    def cut(_state: object, target: Path) -> None:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint.torch, "save", cut)
    with pytest.raises(KeyboardInterrupt):
        save_state(path, {"step": 2})
    assert load_state(path) == {"step": 1}


def test_code_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"step": Path("anything but tensors and numbers")}, path)
    with pytest.raises(pickle.UnpicklingError):
        load_state(path)
