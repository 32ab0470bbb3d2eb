"""`ump demo --two-robots`: what one robot lived through, another one with another model answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from universal_memory.commands.answers import Run, answer_table, verdict
from universal_memory.commands.console import printable
from universal_memory.encryption import store_cipher
from universal_memory.memory.bundle import candidates
from universal_memory.memory.signing import Signer
from universal_memory.memory.store import MemoryStore
from universal_memory.runtime.questionnaire import Question, totals

if TYPE_CHECKING:
    from universal_memory.nodes.demonstration import Demonstration, Remembered
    from universal_memory.nodes.second_robot import SecondRobot

SECOND_MODEL = "gemma3-270m"  # of robot B, where no other is named
KEY, BUNDLE = "robot_a", "robot_a.tar"


@dataclass(frozen=True)
class Handover:
    """What robot B made of what it was offered.

    before: source of an answer without any file. refused: reasons for the two files it must not
    take. quarantined: how many lie in quarantine. taken: of `offered` signed files.
    """

    key_id: str
    before: str
    refused: tuple[str, ...]
    quarantined: int
    offered: int
    taken: int

    @property
    def good(self) -> bool:
        """Whether it knew nothing before, refused what it must, and took all the rest."""
        return (
            self.before == "BASE"
            and all(self.refused)
            and self.quarantined == len(self.refused)
            and self.taken == self.offered > 0
        )


def live_and_share(
    robot_a: Demonstration,
    robot_b: SecondRobot,
    folder: Path,
    console: Console,
    rows: list[Question],
    keep: bool,
    tell: Callable[[str], None],
    advance: Callable[[float, float], None],
) -> tuple[Remembered | None, list[Run], Handover]:
    """Robot A lives, robot B gets its files and is asked, A is given B's model and is asked again.

    `folder` gets A's key and the bundle. Answers of A, of B, and of A with B's model.
    """
    settings = robot_a.settings
    remembered, runs = None, []

    def ask(run: Run, title: str) -> None:
        runs.append(run)
        console.print(answer_table(run, title))
        console.print(verdict(totals(run)))

    tell(f"Starting robot B, {robot_b.model}, in ROS domain {robot_b.domain_id} ...")
    with robot_b.running():
        with robot_a.nodes(replayed=not keep):
            if not keep:
                remembered = robot_a.live_through()
                console.print(str(remembered))
            ask(robot_a.interview(rows), f"Robot A: {settings.model}, domain {settings.domain_id}")
        known = next(question for question in rows if not question.unknown)
        handover = hand_over(settings.store, robot_b, folder, known)
        console.print(handover_table(handover))
        tell(f"Asking robot B {len(rows)} questions ...")
        title = f"Robot B: {robot_b.model}, domain {robot_b.domain_id}, from robot A's files alone"
        ask(robot_b.interview(settings.questions, rows, advance), title)
    if robot_b.model != settings.model:
        tell(f"Robot A gets another model: {robot_b.model} ...")
        with robot_a.nodes(replayed=False, model=robot_b.model):
            title = f"Robot A: {robot_b.model} on the store that {settings.model} filled"
            ask(robot_a.interview(rows), title)
    return remembered, runs, handover


def hand_over(store: Path, robot_b: SecondRobot, folder: Path, known: Question) -> Handover:
    """Offer B a file that nobody signed, one that a stranger signed, and all that A signed."""
    robot, stranger = Signer.generate(), Signer.generate()
    robot.save(folder / KEY)
    with MemoryStore(store, read_only=True, cipher=store_cipher()) as memories:
        ids = memories.ids()
        memories.export(ids, folder / BUNDLE, robot)
        unsigned = memories.get(ids[0])
    robot_b.trust(folder / f"{KEY}.pub")
    refused = robot_b.offer([unsigned.to_bytes(), unsigned.signed(stranger).to_bytes()])
    before = robot_b.ask(known.text)
    with MemoryStore(robot_b.store, read_only=True, cipher=store_cipher()) as memories:
        quarantined = len(memories.quarantined())
    messages = robot_b.offer(candidate.data for candidate in candidates(folder / BUNDLE))
    return Handover(
        robot.key_id, before, tuple(refused), quarantined, len(ids), messages.count("")
    )


def handover_table(handover: Handover) -> Table:
    """What was offered to robot B, and what it did with it."""
    title = f"Robot B trusts only key {handover.key_id}, and answers from {handover.before} so far"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("", "offered to robot B", "result"):
        table.add_column(name, overflow="fold")
    names = ("a memory that nobody signed", "the same, signed by a stranger")
    for name, reason in zip(names, handover.refused, strict=True):
        result = f"refused and in quarantine: {reason}" if reason else "taken in"
        table.add_row(_mark(bool(reason)), name, Text(printable(result)))
    taken = f"{handover.taken} taken in"
    complete = handover.taken == handover.offered
    table.add_row(_mark(complete), f"{handover.offered} memories that robot A signed", taken)
    return table


def _mark(good: bool) -> Text:
    return Text("ok" if good else "no", style="green" if good else "red")
