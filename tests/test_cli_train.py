"""`ump train`: what cannot be trained here is said before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from universal_memory.commands import train
from universal_memory.commands.train import app


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "tpu"])
@pytest.mark.parametrize("command", ["space", "renderer"])
def test_an_unusable_device_is_named_with_the_remedy(
    command: str, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(app, [command, "--device", device])
    assert result.exit_code == 2
    assert f"'{device}' is not usable here" in result.output and "give cpu" in result.output


def test_the_time_left_is_that_of_the_stage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(train.time, "monotonic", lambda: now)
    report = train._reporter(tmp_path)
    told = []
    for progress in (0.2, 0.6, 0.1, 0.4):  # of the second stage from the third report on
        report({"step": 1, "progress": progress})
        told.append(capsys.readouterr().out.partition(" | ")[2].strip())
        now += 600.0
    assert told == ["", "10 min left", "", "20 min left"]
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 4
