"""The compiler: every event into one memory or counted as nothing new, whatever happens between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from house import SECOND, said

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event, Modality, Pose
from universal_memory.memory.errors import StoreError
from universal_memory.memory.store import MemoryStore
from universal_memory.runtime.compiler import Compiler
from universal_memory.space.semantic_space import SemanticSpace

NewCompiler = Callable[[], Compiler]
KITCHEN = (said(1, "Anna said: my tea should be weak."), said(3, "Anna said: no sugar."))
HALL = (said(100, "Ben said: the ladder is in the hall."),)


def fill(buffer: RollingBuffer, *events: Event) -> None:
    for event in events:
        buffer.append(event)


def test_an_episode_becomes_one_file(
    buffer: RollingBuffer, store: MemoryStore, new_compiler: NewCompiler, space: SemanticSpace
) -> None:
    fill(buffer, *KITCHEN, *HALL)
    report = new_compiler().compile(now=500 * SECOND)
    first, second = report.memories
    assert (report.events, report.dropped, first.events, second.events) == (3, 0, 2, 1)
    assert (first.counter, second.counter) == (1, 2)
    assert store.ids() == sorted([first.id, second.id])
    file = store.get(first.id)
    text = "Anna said: my tea should be weak. Anna said: no sugar."
    assert np.array_equal(file.usv, space.encode([text])[0])
    assert file.space_id == "test-space"
    assert buffer.pending() == buffer.window() == []


def test_provenance_is_in_the_ledger_not_in_the_file(
    buffer: RollingBuffer, store: MemoryStore, new_compiler: NewCompiler
) -> None:
    pose = Pose("map", (1.0, 2.0, 0.5), (0.0, 0.0, 0.0, 1.0))
    sign = Event(
        4 * SECOND, "camera/front", Modality.CAMERA, (9,), "Sign reads: pharmacy.", pose=pose,
        source="day.mcap",
    )  # fmt: skip
    fill(buffer, *KITCHEN, sign)
    (memory,) = new_compiler().compile(now=500 * SECOND).memories
    record = store.record(memory.id)
    assert record is not None
    assert replace(record.provenance, pose=None) == replace(memory.provenance, pose=None)
    origin = record.provenance
    assert (origin.compiled_stamp, origin.start_stamp, origin.end_stamp) == (
        500 * SECOND,
        1 * SECOND,
        4 * SECOND,
    )
    assert origin.streams == ("audio", "camera/front")
    assert origin.source == "day.mcap"
    assert origin.pose is not None
    assert origin.pose["frame_id"] == "map"
    assert list(origin.pose["position"]) == [1.0, 2.0, 0.5]
    assert origin.text == " ".join(event.text for event in (*KITCHEN, sign))
    assert b"pharmacy" not in store.path_of(memory.id).read_bytes()


def test_text_is_left_out_where_it_must_not_be_kept(
    buffer: RollingBuffer, store: MemoryStore, new_compiler: NewCompiler
) -> None:
    compiler = new_compiler()
    compiler.keep_text = False
    fill(buffer, *HALL)
    (memory,) = compiler.compile(now=500 * SECOND).memories
    record = store.record(memory.id)
    assert record is not None
    assert record.provenance.text is None


def test_open_episode_waits_unless_flushed(
    buffer: RollingBuffer, new_compiler: NewCompiler
) -> None:
    compiler = new_compiler()
    fill(buffer, *KITCHEN)
    assert compiler.compile(now=10 * SECOND).memories == []
    assert len(buffer.pending()) == 2
    assert len(compiler.compile(now=10 * SECOND, flush=True).memories) == 1
    assert compiler.compile(now=10 * SECOND, flush=True).memories == []


def test_repeats_and_silence_are_dropped_and_counted(
    buffer: RollingBuffer, new_compiler: NewCompiler
) -> None:
    fill(buffer, KITCHEN[0], said(5, "anna said, my tea should be weak"), said(6, "  "))
    report = new_compiler().compile(now=500 * SECOND)
    assert (report.dropped, report.events, len(report.memories)) == (2, 3, 1)
    assert buffer.pending() == []


def test_an_event_that_is_too_long_is_counted(
    buffer: RollingBuffer, new_compiler: NewCompiler
) -> None:
    fill(buffer, said(1, "Sign reads: " + "word " * 200), said(500, HALL[0].text))
    report = new_compiler().compile(now=900 * SECOND)
    assert (len(report.memories), report.oversize) == (2, 1)


def test_same_experience_is_the_same_file(
    buffer: RollingBuffer, store: MemoryStore, new_compiler: NewCompiler
) -> None:
    compiler = new_compiler()
    fill(buffer, *HALL)
    (first,) = compiler.compile(now=500 * SECOND).memories
    fill(buffer, *HALL)  # a bag that is replayed: the very same events
    assert compiler.compile(now=900 * SECOND, flush=True).events == 0
    fill(buffer, said(5000, HALL[0].text))  # said again much later
    (second,) = compiler.compile(now=6000 * SECOND).memories
    assert second.id == first.id
    assert store.ids() == [first.id]


def test_words_of_a_forgotten_memory_leave_the_buffer(
    buffer: RollingBuffer, store: MemoryStore, new_compiler: NewCompiler
) -> None:
    fill(buffer, *KITCHEN, *HALL)
    kitchen, hall = new_compiler().compile(now=500 * SECOND).memories
    store.forget(kitchen.id)
    assert buffer.compiled_ids() == {kitchen.id, hall.id}
    new_compiler()  # of another process, that compiled neither
    assert buffer.compiled_ids() == {hall.id}


class PowerCut(BaseException):
    """What no `except Exception` catches."""


STEPS = ("claim", "add", "mark_compiled")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_compiles_exactly_once(
    step: str,
    when: str,
    buffer: RollingBuffer,
    store: MemoryStore,
    new_compiler: NewCompiler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(buffer, *KITCHEN, *HALL)
    place = store if step == "add" else buffer
    whole = getattr(place, step)

    def cut(*arguments: object) -> None:
        if step == "mark_compiled" and arguments[1] is None:
            return  # the dropped ones; not what this is about
        if when == "after":
            whole(*arguments)
        raise PowerCut

    monkeypatch.setattr(place, step, cut)
    with pytest.raises(PowerCut):
        new_compiler().compile(now=500 * SECOND)
    monkeypatch.undo()
    assert len(buffer.window()) + 2 * len(store) >= 3  # nothing is lost meanwhile

    report = new_compiler().compile(now=501 * SECOND)
    written = (step, when) in {("add", "after"), ("mark_compiled", "before"),
                               ("mark_compiled", "after")}  # fmt: skip
    silent = (step, when) == ("mark_compiled", "after")  # settled, but nobody was told
    assert len(store) == 2
    assert len(report.memories) == (1 if silent else 2)
    assert [record.counter for record in store.records()] == [1, 2]
    texts = [record.provenance.text for record in store.records()]
    assert texts == [" ".join(event.text for event in KITCHEN), HALL[0].text]
    stamps = [record.provenance.compiled_stamp // SECOND for record in store.records()]
    assert stamps == ([500, 501] if written else [501, 501])
    assert buffer.window() == []
    assert buffer.claims() == {}


def test_full_disk_is_tried_again_by_the_same_compiler(
    buffer: RollingBuffer,
    store: MemoryStore,
    new_compiler: NewCompiler,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiler = new_compiler()
    fill(buffer, *KITCHEN, *HALL)
    add, written = store.add, []

    def full(*arguments: object) -> str:
        if written:
            raise StoreError("no space left; remedy: free some")
        written.append(add(*arguments))  # type: ignore[arg-type]
        return written[0]

    monkeypatch.setattr(store, "add", full)
    with pytest.raises(StoreError, match="no space"):
        compiler.compile(now=500 * SECOND)
    monkeypatch.undo()
    assert len(store) == 1
    assert [row.event for row in buffer.window()] == list(HALL)

    report = compiler.compile(now=501 * SECOND)
    assert report.memories[0].id == written[0]  # the failed report did not name it
    assert sorted(memory.id for memory in report.memories) == store.ids()
    assert len(store) == 2
    assert compiler.compile(now=502 * SECOND, flush=True).memories == []
