"""Compiling with a surprise budget: exactly once, nothing lost, what is left out counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from house import SECOND, House, said

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event
from universal_memory.memory.store import MemoryStore
from universal_memory.runtime.compiler import Compiler
from universal_memory.runtime.prediction import Predictor
from universal_memory.runtime.surprise import SurpriseMeter

NEWS = ("Anna said: my tea should be weak.", "Ben said: the ladder is in the hall.")
DULL = ("Tool dock() returned state=ok.", "Sign reads: exit.")
DAY = tuple(said(100 * number, text) for number, text in enumerate((*DULL, *NEWS), 1))


class Knows:
    """A predictor that has heard of the dull texts."""

    def begin(self) -> None:
        pass

    def surprise(self, text: str) -> float:
        return 0.1 if text in DULL else 0.9

    def expect(self, text: str) -> None:
        pass


@pytest.fixture
def new_meter(new_compiler: Callable[[], Compiler]) -> Callable[[], Compiler]:
    """Starts a compiler that remembers half, as a new process would."""

    def start() -> Compiler:
        compiler = new_compiler()
        compiler.surprise = SurpriseMeter(Knows(), 0.5)
        return compiler

    return start


def fill(buffer: RollingBuffer, *events: Event) -> None:
    for event in events:
        buffer.append(event)


def texts(store: MemoryStore) -> list[str | None]:
    return [record.provenance.text for record in store.records()]


def test_half_is_remembered_and_the_rest_settled_and_counted(
    buffer: RollingBuffer, store: MemoryStore, new_meter: Callable[[], Compiler]
) -> None:
    compiler = new_meter()
    fill(buffer, *DAY, said(401, NEWS[1]))
    report = compiler.compile(now=900 * SECOND)
    assert texts(store) == list(NEWS)
    assert (len(report.memories), report.dropped, report.unsurprising) == (2, 3, 2)
    assert report.events == 5
    assert buffer.pending() == buffer.window() == []
    assert compiler.compile(now=901 * SECOND, flush=True).events == 0


def test_without_a_meter_everything_is_remembered(
    buffer: RollingBuffer, store: MemoryStore, new_compiler: Callable[[], Compiler]
) -> None:
    fill(buffer, *DAY)
    report = new_compiler().compile(now=900 * SECOND)
    assert (len(store), report.unsurprising, report.dropped) == (4, 0, 0)


class PowerCut(BaseException):
    """What no `except Exception` catches."""


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_cut_short_at_any_mark_nothing_surprising_is_lost_or_doubled(
    after: int,
    buffer: RollingBuffer,
    store: MemoryStore,
    new_meter: Callable[[], Compiler],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(buffer, *DAY)
    whole = buffer.mark_compiled
    marks: list[str | None] = []

    def cut(sequences: list[int], memory_id: str | None) -> None:
        if not list(sequences):
            return
        if len(marks) == after:
            raise PowerCut
        marks.append(memory_id)
        whole(sequences, memory_id)

    monkeypatch.setattr(buffer, "mark_compiled", cut)
    with pytest.raises(PowerCut):
        new_meter().compile(now=900 * SECOND)
    monkeypatch.undo()
    new_meter().compile(now=901 * SECOND)
    assert set(NEWS) <= set(texts(store)), "it may remember more than the budget, never less"
    assert len(texts(store)) == len(set(texts(store)))
    assert buffer.pending() == buffer.window() == [] and buffer.claims() == {}


def test_a_failed_compilation_is_tried_again_by_the_same_compiler(
    buffer: RollingBuffer,
    store: MemoryStore,
    new_meter: Callable[[], Compiler],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiler = new_meter()
    fill(buffer, *DAY)

    def full(*_: object) -> str:
        raise OSError("no space left")

    monkeypatch.setattr(store, "add", full)
    with pytest.raises(OSError, match="no space"):
        compiler.compile(now=900 * SECOND)
    monkeypatch.undo()
    assert len(buffer.pending()) + len(buffer.claims()) == 4
    report = compiler.compile(now=901 * SECOND)
    assert texts(store) == list(NEWS)
    assert (report.unsurprising, report.events) == (2, 4)


def test_a_real_predictor_chooses_half_of_a_house(house: House) -> None:
    house.compiler.surprise = SurpriseMeter(Predictor(house.answerer), 0.5, momentum=0.3)
    fill(house.buffer, *DAY)
    report = house.compiler.compile(now=900 * SECOND, flush=True)
    assert (len(report.memories), report.unsurprising) == (2, 2)
    assert len(house.store) == 2 and house.buffer.pending() == []
