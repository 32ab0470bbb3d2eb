"""Episodes: cut at pauses, at segments and by size; nothing lost, nothing reordered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.experience.buffered_event import BufferedEvent
from universal_memory.experience.episode import EpisodeCutter
from universal_memory.experience.event import Event, Modality


def shape(episodes) -> list[str]:
    return [episode.text for episode in episodes]


def test_a_pause_closes_an_episode(make_event, make_rows):
    rows = make_rows(make_event(0, "a"), make_event(5, "b"), make_event(30, "c"))
    closed, growing = EpisodeCutter(gap_seconds=20, max_events=4).cut(rows)
    assert shape(closed) == ["a b"] and shape(growing) == ["c"]


def test_a_segment_closes_an_episode(make_event, make_rows):
    rows = make_rows(make_event(9, "a")) + make_rows(make_event(8, "b"), segment=1)
    closed, growing = EpisodeCutter(max_events=4).cut(rows)
    assert shape(closed) == ["a"] and shape(growing) == ["b"]


def test_now_closes_the_tail_after_its_gap_or_a_jump_back(make_event, make_rows):
    rows = make_rows(make_event(100, "a"))
    cutter = EpisodeCutter(gap_seconds=20, max_events=4)
    second = 10**9
    assert shape(cutter.cut(rows, now=110 * second)[1]) == ["a"]
    assert shape(cutter.cut(rows, now=95 * second)[1]) == ["a"]
    assert shape(cutter.cut(rows, now=121 * second)[0]) == ["a"]
    assert shape(cutter.cut(rows, now=5 * second)[0]) == ["a"]


def test_an_episode_of_one_event_waits_for_nothing(make_event, make_rows):
    rows = make_rows(make_event(0, "a"), make_event(1, "b"))
    closed, growing = EpisodeCutter(max_events=1, join_references=False).cut(rows)
    assert shape(closed) == ["a", "b"] and growing == []


def test_too_many_events_are_cut_at_the_longest_pause(make_event, make_rows):
    seconds = [0, 1, 9, 10, 11]
    rows = make_rows(*(make_event(second, f"t{second}") for second in seconds))
    closed, growing = EpisodeCutter(max_events=4).cut(rows)
    assert shape(closed) == ["t0 t1"] and shape(growing) == ["t9 t10 t11"]


def test_too_many_word_pieces_are_cut(make_event, make_rows):
    rows = make_rows(*(make_event(second, "one two three") for second in range(4)))
    closed, growing = EpisodeCutter(max_word_pieces=6, max_events=4).cut(rows)
    assert [len(episode.events) for episode in closed + growing] == [2, 2]


def test_an_oversize_event_is_alone_and_flagged(make_event, make_rows):
    long = " ".join(["word"] * 9)
    rows = make_rows(make_event(0, "a"), make_event(1, long), make_event(2, "b"))
    closed, growing = EpisodeCutter(max_word_pieces=6, max_events=4).cut(rows)
    assert [(e.text, e.flags) for e in closed] == [("a", ()), (long, ("oversize",))]
    assert shape(growing) == ["b"]


def test_what_an_episode_knows(make_event, make_rows):
    rows = make_rows(make_event(3, "b", stream="tool"), make_event(1, "a"), make_event(2, ""))
    _, [tail] = EpisodeCutter(max_events=4).cut(rows)
    assert (tail.text, tail.start, tail.end) == ("a b", 10**9, 3 * 10**9)
    assert tail.streams == ("audio", "tool")
    assert tail.sequences == (2, 3, 1)


def test_nothing_in_nothing_out():
    assert EpisodeCutter().cut([], now=5) == ([], [])
    assert EpisodeCutter(max_events=4).cut([]) == ([], [])


def test_bounds_must_be_positive():
    with pytest.raises(ValueError, match="max_events 0"):
        EpisodeCutter(max_events=0)


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(0, 2), st.integers(0, 12)), max_size=30),
    st.integers(1, 5),
    st.integers(1, 20),
)
def test_every_event_is_in_exactly_one_episode(steps, max_events, max_word_pieces):
    rows = [
        BufferedEvent(number, segment, Event(second * 10**9, "s", Modality.TEXT, (), "w " * words))
        for number, (second, segment, words) in enumerate(steps)
    ]
    cutter = EpisodeCutter(max_word_pieces=max_word_pieces, max_events=max_events)
    closed, growing = cutter.cut(rows)
    episodes = closed + growing
    out = [row for episode in episodes for row in episode.events]
    assert out == sorted(rows, key=lambda row: row.order)
    for episode in episodes:
        assert len({row.segment for row in episode.events}) == 1
        assert len(episode.events) <= max_events
        fits = len(episode.text.split()) <= max_word_pieces
        assert fits != ("oversize" in episode.flags)
        assert fits or sum(bool(row.event.text.split()) for row in episode.events) == 1
    # stable: compiling the closed ones first changes nothing about the rest
    rest = [row for episode in growing for row in episode.events]
    assert cutter.cut(rest) == ([], growing)
