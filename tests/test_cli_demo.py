"""`ump demo` and `ump replay` as far as they go without nodes: inputs, tables, verdicts."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from universal_memory.commands import demo, replay
from universal_memory.commands.answers import answer_table, passed
from universal_memory.runtime.questionnaire import Question, Reply, load_questions, totals

MILLISECONDS = {"route": 1.0, "load": 0.5, "render": 4.0, "generate": 90.0}


def reply(answer: str, source: str = "COMPILED") -> Reply:
    memories = (("0123456789abcdef" * 4, 0.9, 1.0),) if source == "COMPILED" else ()
    return Reply(answer, source, memories, MILLISECONDS, 21)


RUN = [
    (Question("Where are the keys?", ("blue bowl",), "tool", "keys"), reply("The blue bowl.")),
    (Question("How is the tea?", ("weak",), "audio", "tea"), reply("strong")),
    (Question("Who is the mayor?", (), unknown=True), reply("I don't know.", "BASE")),
]


def test_passes_only_with_enough_right_answers_from_files():
    assert not passed(totals(RUN))
    assert passed(totals(RUN[:1] * 4 + RUN[1:2]))
    fresh = [(RUN[0][0], reply("blue bowl", "FRESH"))]
    assert not passed(totals(RUN[:1] * 3 + fresh * 7))


def test_the_table_shows_what_a_reader_needs():
    console = Console(file=io.StringIO(), width=160)
    console.print(answer_table(RUN, "After the day"))
    text = console.file.getvalue()
    for part in ("blue bowl", "01234567:1.00", "COMPILED", "BASE", "(never seen)", "90.0"):
        assert part in text
    assert text.count("ok ") == 2
    assert text.count("no ") == 1


def test_a_foreign_answer_cannot_drive_the_terminal():
    console = Console(file=io.StringIO(), width=200)
    console.print(answer_table([(RUN[0][0], reply("[bold]\x1b[2Jbowl"))], "x"))
    assert "\x1b" not in console.file.getvalue()
    assert "[bold]\\x1b[2Jbowl" in console.file.getvalue()


def test_the_household_day_is_found_and_can_be_asked():
    questions = load_questions(demo.household_day() / "questions.yaml")
    assert sum(not question.unknown for question in questions) >= 16
    assert sum(question.unknown for question in questions) == 4


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--bag", "nowhere"], "cannot read the questions nowhere"),
        (["--keep"], "no store at build/demo_store"),
        (["--rate", "0"], "Invalid value"),
    ],
)
def test_bad_options_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], reason: str
):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(demo.app, options)
    assert result.exit_code != 0
    assert reason in f"{result.output} {result.exception}"
    assert not list(tmp_path.iterdir())


def test_remaps_of_replay():
    assert replay.remaps(["/a:=/b", "/c:=d"]) == {"/a": "/b", "/c": "d"}
    result = CliRunner().invoke(replay.app, [str(demo.household_day()), "--remap", "/a=/b"])
    assert result.exit_code == 2
    assert "is not RECORDED:=NEW" in result.output
