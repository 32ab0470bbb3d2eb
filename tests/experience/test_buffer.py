"""The rolling buffer: durable, bounded, exactly once, at home in several segments of time."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from universal_memory.experience.buffer import RollingBuffer, RollingBufferError
from universal_memory.experience.buffered_event import identity
from universal_memory.experience.event import Event, Modality, Pose


def texts(rows) -> list[str]:
    return [row.event.text for row in rows]


def test_every_field_survives(buffer):
    full = Event(
        stamp=2**62,
        stream="camera/front",
        modality=Modality.CAMERA,
        tokens=(0, 511, 2**40),
        text="Sign reads: Küche \ud800 \0 厨房.",
        speaker="Änne",
        pose=Pose("map", (1.0, 2.5, -3.0), (0.0, 0.0, 0.0, 1.0)),
        flags=("a", "b"),
        features=(0.5, -1.0),
        source="day.mcap",
    )
    sequence = buffer.append(full)
    (row,) = buffer.pending()
    assert (row.sequence, row.segment, row.event) == (sequence, 0, full)


def test_same_event_is_stored_once(buffer, make_event):
    first = buffer.append(make_event(1, "tea"))
    assert buffer.append(make_event(1, "tea")) == first
    assert buffer.append(make_event(1, "tea", stream="camera")) != first
    assert buffer.append(make_event(2, "tea")) != first
    assert buffer.statistics().pending == 3
    assert buffer.statistics().duplicates == 1


@given(st.lists(st.tuples(st.text(), st.integers(0, 9), st.text(min_size=1)), max_size=20))
def test_identity_is_equal_only_for_equal_events(parts):
    events = [Event(stamp, stream, Modality.TEXT, (), text) for text, stamp, stream in parts]
    assert len({identity(e) for e in events}) == len({(e.stream, e.stamp, e.text) for e in events})


WRITER = """
import sys
from pathlib import Path
from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event
buffer = RollingBuffer(Path(sys.argv[1]))
for number in range(10**6):
    buffer.append(Event(number * 10**6, "text", "text", (1,), f"fact {number}"))
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.mark.parametrize("acknowledged", [1, 40])
def test_kill_9_loses_no_acknowledged_event(tmp_path, acknowledged):
    path = tmp_path / "buffer.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    )
    seen = [int(writer.stdout.readline()) for _ in range(acknowledged)]
    os.kill(writer.pid, signal.SIGKILL)
    seen += [int(line) for line in writer.stdout.read().splitlines()]
    writer.wait()
    with RollingBuffer(path) as buffer:
        held = texts(buffer.pending())
    assert held[: len(seen)] == [f"fact {number}" for number in seen]
    assert len(held) <= len(seen) + 1  # one may have been stored and not yet acknowledged


CRASHING_COMPILER = """
import os, signal, sys
from pathlib import Path
from universal_memory.experience.buffer import RollingBuffer
root, step = Path(sys.argv[1]), int(sys.argv[2])
def crash_at(number):
    if step == number:
        os.kill(os.getpid(), signal.SIGKILL)
buffer = RollingBuffer(root / "buffer.sqlite")
buffer.recover(lambda memory_id: (root / memory_id).exists())
rows = buffer.pending()
if rows:
    sequences = [row.sequence for row in rows]
    crash_at(0)
    name = f"memory-{step}"  # another id on every attempt, as after a model update
    buffer.claim(sequences, name)
    crash_at(1)
    (root / name).write_text(" ".join(row.event.text for row in rows))
    crash_at(2)
    buffer.mark_compiled(sequences, name)
    crash_at(3)
"""


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_a_crash_at_any_step_leaves_exactly_one_memory(tmp_path, make_event, step):
    with RollingBuffer(tmp_path / "buffer.sqlite") as buffer:
        buffer.append(make_event(1, "tea"))
        buffer.append(make_event(2, "weak"))
    command = [sys.executable, "-c", CRASHING_COMPILER, str(tmp_path)]
    assert subprocess.run([*command, str(step)], check=False).returncode == -signal.SIGKILL
    subprocess.run([*command, "9"], check=True)
    memories = [path.read_text() for path in tmp_path.glob("memory-*")]
    assert memories == ["tea weak"]
    with RollingBuffer(tmp_path / "buffer.sqlite") as buffer:
        assert buffer.pending() == [] and buffer.claims() == {}
        assert buffer.statistics().compiled == 2


def test_claimed_events_answer_from_text_until_compiled(buffer, make_event):
    one, two = buffer.append(make_event(1, "tea")), buffer.append(make_event(2, "weak"))
    buffer.claim([one], "a1")
    assert texts(buffer.pending()) == ["weak"]
    assert texts(buffer.window()) == ["tea", "weak"]
    buffer.mark_compiled([one], "a1")
    buffer.mark_compiled([two], None)
    assert buffer.window() == []
    buffer.mark_compiled([one], "a1")  # again: harmless


def test_recover_finishes_or_releases(buffer, make_event):
    one, two = buffer.append(make_event(1, "tea")), buffer.append(make_event(2, "weak"))
    buffer.claim([one], "written")
    buffer.claim([two], "lost")
    finished = buffer.recover(lambda memory_id: memory_id == "written")
    assert {key: texts(rows) for key, rows in finished.items()} == {"written": ["tea"]}
    assert texts(buffer.pending()) == ["weak"]


def test_an_event_belongs_to_one_memory_only(buffer, make_event):
    one, two = buffer.append(make_event(1, "tea")), buffer.append(make_event(2, "weak"))
    buffer.claim([one], "a1")
    with pytest.raises(RollingBufferError, match="already taken by memory a1"):
        buffer.claim([two, one], "b2")
    assert texts(buffer.pending()) == ["weak"]  # all or none
    buffer.mark_compiled([one], "a1")
    for again in (buffer.claim, buffer.mark_compiled):
        with pytest.raises(RollingBufferError, match="already taken"):
            again([one], "b2")
    with pytest.raises(RollingBufferError, match="aged out"):
        buffer.claim([99], "c3")


def test_replayed_bag_is_a_new_segment_and_compiled_once(buffer, make_event):
    bag = [make_event(second, f"fact {second}") for second in (10, 15, 20)]
    for event in bag:
        buffer.append(event)
    buffer.mark_compiled([row.sequence for row in buffer.pending()], "a1")
    for event in bag:
        buffer.append(event)
    buffer.append(make_event(17, "new this time"))
    assert buffer.statistics().segments == 3  # 20 to 10, and 20 to 17
    assert texts(buffer.pending()) == ["new this time"]


def test_known_for_ever_even_after_it_expired(tmp_path, make_event):
    path = tmp_path / "buffer.sqlite"
    with RollingBuffer(path, max_seconds=5) as buffer:
        one = buffer.append(make_event(1, "tea"))
        buffer.mark_compiled([one], "a1")
        buffer.append(make_event(100, "much later"))
        assert buffer.statistics().expired == 1 and buffer.statistics().aged_out == 0
    with RollingBuffer(path, max_seconds=5) as buffer:
        assert buffer.append(make_event(1, "tea")) == one
        assert texts(buffer.pending()) == ["much later"]


def test_old_events_age_out_and_are_counted(tmp_path, make_event):
    with RollingBuffer(tmp_path / "buffer.sqlite", max_seconds=10) as buffer:
        for second in range(0, 40, 5):
            buffer.append(make_event(second, f"fact {second}"))
        assert texts(buffer.pending()) == ["fact 25", "fact 30", "fact 35"]
        assert buffer.statistics().aged_out == 5
        buffer.append(make_event(0, "fact 0"))  # never compiled, so a replay brings it back
        assert "fact 0" in texts(buffer.pending())


def test_a_clock_that_jumps_back_expires_nothing_and_keeps_nothing_for_ever(tmp_path, make_event):
    with RollingBuffer(tmp_path / "buffer.sqlite", max_seconds=10) as buffer:
        buffer.append(make_event(1000, "before"))
        buffer.append(make_event(0, "after the jump"))
        assert texts(buffer.pending()) == ["before", "after the jump"]
        buffer.append(make_event(11, "eleven seconds on"))
        assert texts(buffer.pending()) == ["eleven seconds on"]


def test_tokens_are_bounded_and_compiled_events_go_first(tmp_path, make_event):
    with RollingBuffer(tmp_path / "buffer.sqlite", max_tokens=30) as buffer:
        one = buffer.append(make_event(1, "one", tokens=10))
        two = buffer.append(make_event(2, "two", tokens=10))
        buffer.append(make_event(3, "three", tokens=10))
        buffer.mark_compiled([two], "a1")
        buffer.append(make_event(4, "four", tokens=10))
        assert texts(buffer.pending()) == ["one", "three", "four"]
        buffer.claim([one], "b2")
        buffer.append(make_event(5, "five", tokens=10))
        assert texts(buffer.window()) == ["one", "four", "five"]
        buffer.append(make_event(6, "huge", tokens=500))
        assert texts(buffer.window()) == ["one", "huge"]  # claimed and newest always stay
        statistics = buffer.statistics()
        assert (statistics.aged_out, statistics.expired, statistics.tokens) == (3, 1, 510)


def test_segments_follow_each_stream(buffer, make_event):
    buffer.append(make_event(30, "seen", stream="camera"))
    buffer.append(make_event(12, "said earlier, known later", stream="audio"))
    buffer.append(make_event(29.5, "a little late", stream="camera"))
    assert buffer.statistics().segments == 1
    buffer.append(make_event(28, "the clock jumped", stream="camera"))
    assert buffer.statistics().segments == 2
    assert buffer.start_segment() == 2
    assert buffer.start_segment() == 2  # still empty
    buffer.append(make_event(100, "later", stream="camera"))
    buffer.append(make_event(39, "more than a minute behind", stream="tool"))
    assert [row.segment for row in buffer.pending()] == [0, 0, 0, 1, 2, 3]


def test_segment_is_known_after_reopening(tmp_path, make_event):
    path = tmp_path / "buffer.sqlite"
    with RollingBuffer(path) as buffer:
        buffer.append(make_event(100, "one"))
        buffer.start_segment()
        buffer.append(make_event(50, "two"))
    with RollingBuffer(path) as buffer:
        buffer.append(make_event(49.5, "three"))
        buffer.append(make_event(20, "four"))
        assert [(row.segment, row.event.text) for row in buffer.pending()] == [
            (0, "one"), (1, "three"), (1, "two"), (2, "four"),
        ]  # fmt: skip


def test_window_is_the_recent_part(buffer, make_event):
    for second in (0, 50, 100):
        buffer.append(make_event(second, f"fact {second}"))
    assert texts(buffer.window(60)) == ["fact 50", "fact 100"]
    assert len(buffer.window()) == 3


def test_token_rates(buffer, make_event):
    assert buffer.token_rates() == {}
    buffer.append(make_event(0, "old", stream="tool", tokens=500))
    for second in range(100, 160):
        buffer.append(make_event(second, f"frame {second}", stream="camera", tokens=49))
    assert buffer.token_rates(60) == {"camera": pytest.approx(49), "tool": 0}


def test_another_process_reads_the_fresh_window(buffer, make_event):
    buffer.append(make_event(1, "tea"))
    with RollingBuffer(buffer.path, read_only=True) as reader:
        assert texts(reader.window()) == ["tea"]
        buffer.append(make_event(2, "weak"))
        assert texts(reader.window()) == ["tea", "weak"]
        with pytest.raises(RollingBufferError, match="not writable"):
            reader.append(make_event(3, "no"))
    buffer.close()
    with RollingBuffer(buffer.path, read_only=True) as reader:  # also with no writer alive
        assert len(reader.window()) == 2


def test_threads_append_together(buffer, make_event):
    def write(stream: str) -> None:
        for number in range(25):
            buffer.append(make_event(number, f"{number}", stream=stream))

    threads = [threading.Thread(target=write, args=(f"s{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sequences = [row.sequence for row in buffer.pending()]
    assert len(sequences) == len(set(sequences)) == 100


def test_forgetting_erases_the_words_from_the_disk(buffer, make_event):
    sequence = buffer.append(make_event(1, "my code is 86753"))
    buffer.mark_compiled([sequence], "a1")
    assert buffer.compiled_ids() == {"a1"}
    assert buffer.forget("a1") == 1
    assert buffer.forget("a1") == 0
    assert buffer.compiled_ids() == set()
    for path in buffer.path.parent.glob("buffer.sqlite*"):
        assert b"86753" not in path.read_bytes()
    assert buffer.append(make_event(1, "my code is 86753")) == sequence
    assert buffer.pending() == []  # a replay does not bring it back


def test_words_of_a_repeat_are_not_kept(buffer, make_event):
    sequence = buffer.append(make_event(1, "my code is 86753"))
    buffer.mark_compiled([sequence], None)
    assert buffer.statistics().compiled == 1 and buffer.compiled_ids() == set()
    buffer.close()  # the log is written back
    assert b"86753" not in buffer.path.read_bytes()


def test_full_disk_is_explained_and_loses_nothing(buffer, make_event):
    buffer.append(make_event(1, "tea"))
    pages = buffer._database.execute("PRAGMA page_count").fetchone()[0]
    buffer._database.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RollingBufferError, match="free some space"):
        buffer.append(make_event(0, "x" * 100_000))  # also a failed new segment is undone
    buffer._database.execute("PRAGMA max_page_count = 1000000")
    buffer.append(make_event(2, "weak"))
    assert [(row.segment, row.event.text) for row in buffer.pending()] == [(0, "tea"), (0, "weak")]


@pytest.mark.parametrize(
    ("prepare", "remedy"),
    [
        (lambda path: path.mkdir(), "check that its folder exists"),
        (lambda path: path.write_bytes(b"not a database, only text" * 99), "move it away"),
        (lambda path: path.parent.joinpath("file").touch(), None),
    ],
)
def test_unusable_path_is_explained(tmp_path, prepare, remedy):
    path = tmp_path / "buffer.sqlite"
    prepare(path)
    if remedy is None:
        path, remedy = tmp_path / "file" / "buffer.sqlite", "check that its folder exists"
    with pytest.raises(RollingBufferError, match=remedy):
        RollingBuffer(path)


def test_missing_foreign_and_closed_buffers_are_explained(tmp_path, make_event):
    path = tmp_path / "buffer.sqlite"
    with pytest.raises(RollingBufferError, match="start memory_compiler"):
        RollingBuffer(path, read_only=True)
    buffer = RollingBuffer(path)
    buffer.close()
    with pytest.raises(RollingBufferError, match="open the buffer again"):
        buffer.append(make_event(1, "tea"))
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(RollingBufferError, match="schema 99"):
        RollingBuffer(path)
    with pytest.raises(ValueError, match="must be positive"):
        RollingBuffer(tmp_path / "other.sqlite", max_seconds=0)


def test_a_buffer_without_its_log_files_is_readable(buffer, make_event, tmp_path):
    buffer.append(make_event(1, "tea"))
    buffer.close()
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(buffer.path, copy / "buffer.sqlite")
    with RollingBuffer(copy / "buffer.sqlite", read_only=True) as reader:
        assert texts(reader.window()) == ["tea"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from("ab"), st.integers(0, 40)), max_size=40)
)
def test_bounds_hold_and_every_event_is_accounted_for(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("bounds") / "buffer.sqlite"
    with RollingBuffer(path, max_seconds=30, max_tokens=100) as buffer:
        stored = set()
        for second, stream, tokens in steps:
            event = Event(second * 10**9, stream, Modality.TEXT, (0,) * tokens, f"{second}")
            before = buffer.statistics().duplicates
            sequence = buffer.append(event)
            if buffer.statistics().duplicates == before:
                assert sequence not in stored
                stored.add(sequence)
            statistics = buffer.statistics()
            held = buffer.pending()
            assert statistics.tokens == sum(len(row.event.tokens) for row in held) <= 100
            assert statistics.pending + statistics.aged_out == len(stored)
