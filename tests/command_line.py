"""`ump` as a user types it, in this process: exit code, output and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from universal_memory import cli


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ump = Callable[..., Result]


def runner(capsys: pytest.CaptureFixture[str], joined: bool = False) -> Ump:
    """Runs a command; no error may come as a traceback.

    `joined`: errors on one line, since where a long one is broken depends on the terminal.
    """

    def run(*arguments: object) -> Result:
        with pytest.raises(SystemExit) as stopped:
            cli.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return Result(int(stopped.value.code or 0), out, " ".join(err.split()) if joined else err)

    return run
