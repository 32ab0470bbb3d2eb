"""`ump demo`: a robot lives through a recorded day, and is asked about it, twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from universal_memory.commands.console import printable
from universal_memory.commands.robot import ros_at_hand
from universal_memory.runtime.questionnaire import (
    Question,
    Reply,
    Totals,
    is_right,
    load_questions,
    totals,
)

if TYPE_CHECKING:
    from universal_memory.nodes.demonstration import Demonstration, Remembered

app = typer.Typer(add_completion=False)

BUILD = Path("build")
PASS_SHARE = 0.8  # of the questions, right and from COMPILED
SHORT_ID = 8
STAGES = ("route", "load", "render", "generate")


@app.command()
def demo(
    bag: Annotated[Path | None, typer.Option(help="Recorded day; else sim/household_day.")] = None,
    questions: Annotated[
        Path | None, typer.Option(help="Questions; else questions.yaml beside the bag.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=20.0, help="Speed of the replay.")] = 4.0,
    model: Annotated[str, typer.Option(help="On-robot language model.")] = "smollm2-135m",
    keep: Annotated[
        bool, typer.Option("--keep", help="Ask the store of the last run; replay nothing.")
    ] = False,
) -> None:
    """Replay a day in a home, compile it, and ask the robot about it.

    Writes build/demo.json. Exit code 0 only if at least 80 % of the answers are right and came
    from compiled memory, both times.
    """
    day = bag if bag is not None else household_day()
    asked = questions if questions is not None else day / "questions.yaml"
    rows = load_questions(asked)
    store = BUILD / "demo_store"
    if keep and not store.is_dir():
        raise FileNotFoundError(f"no store at {store}; remedy: run once without --keep")
    if not keep:
        shutil.rmtree(store, ignore_errors=True)

    with ros_at_hand("ask a store itself: `ump query --offline`"):
        from universal_memory.nodes.demonstration import Demonstration, Settings

    signal.signal(signal.SIGTERM, _terminated)
    console = Console(width=None if sys.stdout.isatty() else 160)
    settings = Settings(
        bag=day,
        questions=asked,
        store=store,
        log=BUILD / "demo.log",
        rate=rate,
        model=model,
        domain_id=os.getpid() % 90 + 10,
    )
    started = time.monotonic()
    stage = _Stages(console)
    demonstration = Demonstration(settings, stage.tell, stage.advance)
    try:
        remembered, runs = _run(demonstration, console, rows, keep)
    finally:
        stage.close()
        demonstration.close()
    report = BUILD / "demo.json"
    report.write_text(
        json.dumps(_report(settings, remembered, runs, time.monotonic() - started), indent=2)
        + "\n",
        encoding="utf-8",
    )
    console.print(f"Written: {report}, {settings.log}")
    raise typer.Exit(0 if all(passed(totals(run)) for run in runs) else 1)


def household_day() -> Path:
    """The bag that comes with the project: in the checkout, else in the ROS package's share."""
    checkout = Path(__file__).resolve().parents[2]
    prefixes = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    shares = [Path(prefix, "share", "universal_memory") for prefix in prefixes if prefix]
    for folder in (checkout, *shares):
        if (day := folder / "sim" / "household_day").is_dir():
            return day
    raise FileNotFoundError(
        "the household day is not installed here; remedy: name a bag with --bag, or make it with "
        "`python -m sim.make_household_day`"
    )


def passed(counts: Totals) -> bool:
    """Whether enough answers are right and compiled."""
    return counts.right_compiled >= PASS_SHARE * counts.asked


def _run(
    demonstration: Demonstration, console: Console, rows: list[Question], keep: bool
) -> tuple[Remembered | None, list[list[tuple[Question, Reply]]]]:
    """Live through the day and ask, start again and ask. Answers of both times."""
    remembered = None
    runs = []
    if not keep:
        with demonstration.nodes(replayed=True):
            remembered = demonstration.live_through()
            console.print(_life(remembered))
            runs.append(demonstration.interview(rows))
        console.print(answer_table(runs[-1], "After the day"))
        console.print(_verdict(totals(runs[-1])))
    with demonstration.nodes(replayed=False):
        runs.append(demonstration.interview(rows))
    console.print(answer_table(runs[-1], "After a restart, from the files alone"))
    console.print(_verdict(totals(runs[-1])))
    return remembered, runs


def answer_table(run: Sequence[tuple[Question, Reply]], title: str) -> Table:
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


def _life(remembered: Remembered) -> str:
    events = ", ".join(
        f"{name.removesuffix('_ingest')} {count}" for name, count in remembered.events.items()
    )
    return (
        f"{sum(remembered.events.values())} events ({events}) became {remembered.files} memory "
        f"files; worst lateness of the replay {remembered.lateness * 1000:.0f} ms."
    )


def _verdict(counts: Totals) -> Text:
    share = counts.right_compiled / counts.asked if counts.asked else 0.0
    return Text(
        f"{counts.right_compiled} of {counts.asked} right from COMPILED ({share:.0%}), "
        f"{counts.right} right from any source, "
        f"{counts.unknown_right} of {counts.unknown_asked} unknown ones left to the base model.",
        style="bold green" if passed(counts) else "bold red",
    )


def _report(
    settings: Any,
    remembered: Remembered | None,
    runs: list[list[tuple[Question, Reply]]],
    seconds: float,
) -> dict[str, Any]:
    """The first run's totals on top, as the last word on the demonstration; then both runs."""
    return {
        **asdict(totals(runs[0])),
        "passed": all(passed(totals(run)) for run in runs),
        "rate": settings.rate,
        "model": settings.model,
        "bag": settings.bag.name,
        "wall_seconds": round(seconds, 1),
        "remembered": asdict(remembered) if remembered else None,
        "runs": [
            {**asdict(totals(run)), "replies": [_row(question, reply) for question, reply in run]}
            for run in runs
        ],
    }


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


class _Stages:
    """One line on the terminal for what happens now, with a bar for the long ones."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None

    def tell(self, text: str) -> None:
        """A new stage."""
        self.close()
        self._console.print(text, style="dim")

    def advance(self, done: float, total: float) -> None:
        """So many seconds of the bag, or questions, are done."""
        if self._progress is None:
            self._progress = Progress(
                TextColumn("{task.completed:.0f} of {task.total:.0f}"),
                BarColumn(),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
                disable=not self._console.is_terminal,
            )
            self._progress.add_task("", total=total)
            self._progress.start()
        self._progress.update(self._progress.task_ids[0], completed=done)

    def close(self) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _terminated(number: int, frame: Any) -> NoReturn:
    """SIGTERM ends like Ctrl-C, so that the nodes are stopped."""
    raise KeyboardInterrupt
