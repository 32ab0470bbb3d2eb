"""Answers to a questionnaire, as the demonstrations show and judge them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table
from rich.text import Text

from universal_memory.commands.console import printable
from universal_memory.runtime.questionnaire import Question, Reply, Totals, is_right, totals

PASS_SHARE = 0.8  # of the questions, right and from COMPILED
SHORT_ID = 8
STAGES = ("route", "load", "render", "generate")

Run = Sequence[tuple[Question, Reply]]


def passed(counts: Totals) -> bool:
    """Whether enough answers are right and compiled."""
    return counts.right_compiled >= PASS_SHARE * counts.asked


def answer_table(run: Run, title: str) -> Table:
    """Question, expected, answer, source, files with their gates, and milliseconds by stage."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("", "question", "expected", "answer", "source", "file:gate"):
        table.add_column(name, overflow="fold")
    for name in STAGES:
        table.add_column(f"{name} ms", justify="right")
    for question, reply in run:
        good = is_right(question, reply)
        expected = "(never seen)" if question.unknown else question.answers[0]
        files = " ".join(f"{name[:SHORT_ID]}:{gate:.2f}" for name, _, gate in reply.memories)
        cells = (question.text, expected, reply.answer, reply.source, files or "-")
        table.add_row(
            Text("ok" if good else "no", style="green" if good else "red"),
            *(Text(printable(cell)) for cell in cells),
            *(f"{reply.milliseconds[stage]:.1f}" for stage in STAGES),
        )
    return table


def verdict(counts: Totals) -> Text:
    """How many are right, in one line."""
    share = counts.right_compiled / counts.asked if counts.asked else 0.0
    return Text(
        f"{counts.right_compiled} of {counts.asked} right from COMPILED ({share:.0%}), "
        f"{counts.right} right from any source, "
        f"{counts.unknown_right} of {counts.unknown_asked} unknown ones left to the base model.",
        style="bold green" if passed(counts) else "bold red",
    )


def run_report(run: Run) -> dict[str, Any]:
    """Totals and every reply, as JSON."""
    return {**asdict(totals(run)), "replies": [_row(question, reply) for question, reply in run]}


def _row(question: Question, reply: Reply) -> dict[str, Any]:
    return {
        "question": question.text,
        "expected": list(question.answers),
        "stream": question.stream,
        "fact": question.fact,
        "unknown": question.unknown,
        "right": is_right(question, reply),
        "answer": reply.answer,
        "source": reply.source,
        "memories": [
            {"id": name, "relevance": relevance, "gate": gate}
            for name, relevance, gate in reply.memories
        ],
        "milliseconds": reply.milliseconds,
        "prompt_tokens": reply.prompt_tokens,
    }
