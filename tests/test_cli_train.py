"""`ump train`: what cannot be trained here is said before anything is loaded."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

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
