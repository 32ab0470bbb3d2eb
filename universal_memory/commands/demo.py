"""`ump demo`: a robot lives through a recorded day and is asked, then again or another one is."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from universal_memory.commands.answers import Run, answer_table, passed, run_report, verdict
from universal_memory.commands.robot import ros_at_hand
from universal_memory.commands.two_robots import SECOND_MODEL, Handover, live_and_share
from universal_memory.runtime.questionnaire import Question, load_questions, totals

if TYPE_CHECKING:
    from universal_memory.nodes.demonstration import Demonstration, Remembered

app = typer.Typer(add_completion=False)

BUILD = Path("build")


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
    two_robots: Annotated[
        bool,
        typer.Option("--two-robots", help="Hand the files, signed, to a second robot; ask it."),
    ] = False,
    other_model: Annotated[
        str, typer.Option(help="With --two-robots: the second robot's language model.")
    ] = SECOND_MODEL,
) -> None:
    """Replay a day in a home, compile it, and ask the robot about it.

    The nodes are then started again and asked once more. With --two-robots, a second robot in
    another ROS domain and with another model takes in the signed files and is asked instead; it
    refuses those that are not signed by a key it trusts. Then the first robot is given the second
    one's model. Writes build/demo.json (build/two_robots.json). Exit code 0 only if at least 80 %
    of the answers are right and came from compiled memory, every time.
    """
    day = bag if bag is not None else household_day()
    asked = questions if questions is not None else day / "questions.yaml"
    rows = load_questions(asked)
    name = "two_robots" if two_robots else "demo"
    store = BUILD / f"{name}_store"
    if keep and not store.is_dir():
        raise FileNotFoundError(f"no store at {store}; remedy: run once without --keep")
    if not keep:
        shutil.rmtree(store, ignore_errors=True)

    with ros_at_hand("ask a store itself: `ump query --offline`"):
        from universal_memory.nodes.demonstration import Demonstration, Settings
        from universal_memory.nodes.second_robot import SecondRobot

    signal.signal(signal.SIGTERM, _terminated)
    console = Console(width=None if sys.stdout.isatty() else 160)
    settings = Settings(
        bag=day,
        questions=asked,
        store=store,
        log=BUILD / f"{name}.log",
        rate=rate,
        model=model,
        domain_id=_domain(0),
    )
    started = time.monotonic()
    stage = _Stages(console)
    demonstration = Demonstration(settings, stage.tell, stage.advance)
    handover = None
    try:
        if two_robots:
            folder = BUILD / name
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            log = demonstration.log
            second = SecondRobot(folder / "robot_b_store", other_model, _domain(45), log)
            remembered, runs, handover = live_and_share(
                demonstration, second, folder, console, rows, keep, stage.tell, stage.advance
            )
        else:
            remembered, runs = _run(demonstration, console, rows, keep)
    finally:
        stage.close()
        demonstration.close()
    report = _report(settings, remembered, runs, handover, time.monotonic() - started)
    report["other_model"] = other_model if two_robots else None
    path = BUILD / f"{name}.json"
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    console.print(f"Written: {path}, {settings.log}")
    raise typer.Exit(0 if report["passed"] else 1)


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


def _domain(shift: int) -> int:
    """A ROS domain of this run's own; another one for another `shift` below 90."""
    return (os.getpid() + shift) % 90 + 10


def _run(
    demonstration: Demonstration, console: Console, rows: list[Question], keep: bool
) -> tuple[Remembered | None, list[Run]]:
    """Live through the day and ask, start again and ask. Answers of both times."""
    remembered = None
    runs: list[Run] = []
    if not keep:
        with demonstration.nodes(replayed=True):
            remembered = demonstration.live_through()
            console.print(str(remembered))
            runs.append(demonstration.interview(rows))
        console.print(answer_table(runs[-1], "After the day"))
        console.print(verdict(totals(runs[-1])))
    with demonstration.nodes(replayed=False):
        runs.append(demonstration.interview(rows))
    console.print(answer_table(runs[-1], "After a restart, from the files alone"))
    console.print(verdict(totals(runs[-1])))
    return remembered, runs


def _report(
    settings: Any,
    remembered: Remembered | None,
    runs: list[Run],
    handover: Handover | None,
    seconds: float,
) -> dict[str, Any]:
    """The first run's totals on top, as the last word on the demonstration; then all runs."""
    answered = all(passed(totals(run)) for run in runs)
    return {
        **asdict(totals(runs[0])),
        "passed": answered and (handover is None or handover.good),
        "rate": settings.rate,
        "model": settings.model,
        "bag": settings.bag.name,
        "wall_seconds": round(seconds, 1),
        "remembered": asdict(remembered) if remembered else None,
        "handover": asdict(handover) if handover else None,
        "runs": [run_report(run) for run in runs],
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
