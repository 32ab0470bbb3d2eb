"""`ump demo --two-robots` as far as it goes without nodes: what counts as a good handover."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from universal_memory.commands.two_robots import Handover, handover_table

GOOD = Handover("ab" * 16, "BASE", ("file is not signed", "signed by a stranger"), 2, 27, 27)


def test_only_signed_files_and_all_of_them() -> None:
    assert GOOD.good


@pytest.mark.parametrize(
    "change",
    [
        {"before": "COMPILED"},
        {"refused": ("file is not signed", "")},
        {"quarantined": 1},
        {"taken": 26},
        {"offered": 0, "taken": 0},
    ],
)
def test_what_went_wrong_counts(change: dict[str, object]) -> None:
    assert not replace(GOOD, **change).good


def test_the_table_shows_what_was_refused_and_why() -> None:
    console = Console(file=io.StringIO(), width=160)
    console.print(handover_table(replace(GOOD, refused=("not signed \x1b[2J", ""), taken=26)))
    text = console.file.getvalue()
    assert "ab" * 16 in text and "quarantine: not signed \\x1b[2J" in text
    assert text.count("ok ") == 1 and text.count("no ") == 2 and "26 taken in" in text
