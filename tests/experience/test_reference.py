"""What refers back is compiled with what it refers to: nothing lost, no wait beyond the gap."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.experience.buffered_event import BufferedEvent
from universal_memory.experience.episode import Episode, EpisodeCutter
from universal_memory.experience.event import Event, Modality
from universal_memory.experience.reference import MOST_JOINED, refers_back

SECOND = 10**9
CAME, LEFT, THEN = "Edith came in.", "She left her glasses in the drawer.", "Then she went to bed."


def shape(episodes: list[Episode]) -> list[str]:
    return [episode.text for episode in episodes]


def said(text: str, modality: str = Modality.AUDIO) -> Event:
    return Event(0, "audio", modality, (), text)


@pytest.mark.parametrize(
    "text",
    [
        LEFT, THEN, "Anna said: She left her glasses.", "he's in the hall", "It is in the drawer.",
        "They\u2019re upstairs.", "Her keys are here.", "Its lid is red.", "Their car is blue.",
        "After that Ben left.", "Afterwards it was clean.", "Later, Ben left.",
        "There he keeps his tea.", "Tom said: there lies the key.", "She said: I am tired.",
        "It rang at noon.",
    ],
)  # fmt: skip
def test_a_back_reference(text: str) -> None:
    assert refers_back(said(text))


@pytest.mark.parametrize(
    "text",
    [
        CAME, "", "Anna said: My keys are in the hall.", "Anna said: I am home.",
        "Theresa is here.", "There is a cup in the sink.", "there's milk", "There",
        "After dinner we sing.", "It is raining.", "It rains.", "Sign reads: it is closed.",
        "Ben: then go", "Itself.", "3 of them are here.",
    ],
)  # fmt: skip
def test_no_back_reference(text: str) -> None:
    assert not refers_back(said(text))


def test_what_cameras_and_tools_tell_stands_by_itself() -> None:
    assert not refers_back(said("It is a cup.", Modality.CAMERA))
    assert not refers_back(said("then(x=1) returned ok", Modality.TOOL))


def test_it_joins_the_last_event_of_its_stream(make_event: Callable, make_rows: Callable) -> None:
    rows = make_rows(
        make_event(0, CAME), make_event(1, "A cup.", "camera", Modality.CAMERA), make_event(2, LEFT)
    )
    closed, growing = EpisodeCutter().cut(rows)
    assert shape(closed) == ["A cup."], "a camera waits for nothing, and ends nothing"
    assert shape(growing) == [f"{CAME} {LEFT}"]
    assert shape(EpisodeCutter(join_references=False).cut(rows)[0]) == [CAME, "A cup.", LEFT]


def test_it_waits_for_its_gap_or_for_something_else(
    make_event: Callable, make_rows: Callable
) -> None:
    cutter = EpisodeCutter(gap_seconds=20)
    first, second = make_event(100, CAME), make_event(110, LEFT)
    other = make_event(111, "Ben sings.")
    for events, text in (((first,), CAME), ((first, second), f"{CAME} {LEFT}")):
        rows = make_rows(*events)
        assert shape(cutter.cut(rows, now=120 * SECOND)[1]) == [text]
        assert cutter.cut(rows, now=121 * SECOND)[1] == [], "no event waits longer than the gap"
        assert cutter.cut(rows, now=5 * SECOND)[1] == [], "the clock has jumped back"
    closed, growing = cutter.cut(make_rows(first, second, other), now=111 * SECOND)
    assert (shape(closed), shape(growing)) == ([f"{CAME} {LEFT}"], ["Ben sings."])
    assert shape(cutter.cut(make_rows(first, make_event(121, LEFT)))[0]) == [CAME]


def test_a_new_segment_and_another_stream_join_nothing(
    make_event: Callable, make_rows: Callable
) -> None:
    cutter = EpisodeCutter()
    rows = make_rows(make_event(9, CAME)) + make_rows(make_event(9, LEFT), segment=1)
    closed, growing = cutter.cut(rows)
    assert (shape(closed), shape(growing)) == ([CAME], [LEFT])
    elsewhere = make_rows(make_event(1, CAME), make_event(2, LEFT, "audio/kitchen"))
    assert shape(cutter.cut(elsewhere)[1]) == [CAME, LEFT]


def test_at_most_three_events_and_no_more_than_can_be_said(
    make_event: Callable, make_rows: Callable
) -> None:
    rows = make_rows(*(make_event(second, text) for second, text in enumerate((CAME, *3 * [LEFT]))))
    closed, growing = EpisodeCutter().cut(rows)
    assert (shape(closed), shape(growing)) == ([f"{CAME} {LEFT} {LEFT}"], [LEFT])
    closed, growing = EpisodeCutter(max_word_pieces=9).cut(rows[:2])
    assert (shape(closed), shape(growing)) == ([CAME], [LEFT]), "ten words are too many"


def test_longer_episodes_are_not_cut_before_a_reference(
    make_event: Callable, make_rows: Callable
) -> None:
    spoken = ((0, "a"), (1, "b"), (2, CAME), (12, LEFT), (13, "c"))
    rows = make_rows(*(make_event(second, text) for second, text in spoken))
    assert shape(EpisodeCutter(max_events=4).cut(rows)[0]) != [f"a b {CAME}"]
    without = EpisodeCutter(max_events=4, join_references=False)
    assert shape(without.cut(rows)[0]) == [f"a b {CAME}"], "there is the longest pause"


words = st.sampled_from([CAME, LEFT, THEN, "Ben sings.", "It " + "w " * 12, "w " * 15])
streams = st.sampled_from(["audio", "camera", "text"])
steps = st.tuples(st.integers(1, 90), st.integers(0, 1), streams, words)


@given(st.lists(steps, max_size=25), st.integers(6, 20), st.integers(0, 130))
def test_nothing_is_lost_and_every_bound_is_kept(
    lived: list[tuple[int, int, str, str]], max_word_pieces: int, now: int
) -> None:
    rows = [
        BufferedEvent(number, segment, Event(second * SECOND, stream, stream, (), text))
        for number, (second, segment, stream, text) in enumerate(lived)
    ]
    cutter = EpisodeCutter(gap_seconds=20, max_word_pieces=max_word_pieces)
    closed, growing = cutter.cut(rows, now * SECOND)
    episodes = closed + growing
    assert sorted(row.sequence for episode in episodes for row in episode.events) == list(
        range(len(rows))
    )
    for episode in episodes:
        first, *later = episode.events
        assert list(episode.events) == sorted(episode.events, key=lambda row: row.order)
        assert all(refers_back(row.event) for row in later)
        assert {(row.segment, row.event.stream) for row in later} <= {
            (first.segment, first.event.stream)
        }
        assert len(episode.events) <= MOST_JOINED
        assert episode.end - episode.start <= cutter.gap
        assert not later or len(episode.text.split()) <= max_word_pieces
    for stream in {row.event.stream for row in rows}:
        of_stream = [e for e in episodes if e.events[0].event.stream == stream]
        told = [row for e in sorted(of_stream, key=lambda e: e.events[0].order) for row in e.events]
        assert told == sorted((r for r in rows if r.event.stream == stream), key=lambda r: r.order)
    assert all(abs(now * SECOND - episode.start) <= cutter.gap for episode in growing)
    # stable: compiling the closed ones first changes nothing about the rest
    rest = [row for episode in growing for row in episode.events]
    assert cutter.cut(rest, now * SECOND) == ([], growing)
