"""What carries nothing new is dropped and counted; news never is."""

from __future__ import annotations

import pytest

from universal_memory.experience.event import Modality
from universal_memory.experience.surprise import EMPTY, REPEAT, NoveltyFilter


def texts(rows) -> list[str]:
    return [row.event.text for row in rows]


def test_empty_events_are_dropped(make_event, make_rows):
    novelty = NoveltyFilter()
    kept, dropped = novelty.select(
        make_rows(make_event(1, ""), make_event(2, " ..! "), make_event(3, "tea"))
    )
    assert texts(kept) == ["tea"]
    assert len(dropped) == 2 and novelty.counts == {EMPTY: 2}


def test_repeats_of_a_stream_are_dropped_while_they_go_on(make_event, make_rows):
    novelty = NoveltyFilter(window_seconds=10)
    kept, dropped = novelty.select(
        make_rows(
            make_event(0, "Sign reads: room 12."),
            make_event(8, "sign reads: Room 12"),
            make_event(16, "Sign reads: room 12."),
            make_event(17, "Sign reads: room 12.", stream="other"),
            make_event(40, "Sign reads: room 12."),
        )
    )
    assert [row.event.stamp // 10**9 for row in kept] == [0, 17, 40]
    assert len(dropped) == 2 and novelty.counts == {REPEAT: 2}


def test_a_minus_sign_is_news(make_event, make_rows):
    rows = make_rows(make_event(0, "It is 5 degrees."), make_event(1, "It is -5 degrees."))
    assert len(NoveltyFilter().select(rows)[0]) == 2


def test_a_tool_result_that_changes_back_is_news(make_event, make_rows):
    line = "Tool door_state(door=front) returned state={}."
    states = ["open", "open", "closed", "open", "open"]
    rows = make_rows(
        *(
            make_event(second, line.format(state), stream="tool", modality=Modality.TOOL)
            for second, state in enumerate(states)
        )
    )
    kept, _ = NoveltyFilter().select(rows)
    assert [row.event.stamp // 10**9 for row in kept] == [0, 2, 3]


def test_a_camera_that_reads_part_of_what_it_read_has_no_news(make_event, make_rows):
    def seen(second, text):
        return make_event(second, text, stream="front", modality=Modality.CAMERA)

    kept, _ = NoveltyFilter().select(
        make_rows(
            seen(0, "Sign reads: Box 3 Christmas lights, room 12."),
            seen(1, "Sign reads: Christmas lights."),
            seen(2, "Sign reads: Box3 Christmas lights, room 12."),
            seen(3, "Sign reads: room 1."),
            seen(4, "Sign reads: Box 3 Christmas lights, room 12. Marker: dock."),
            make_event(5, "Christmas lights.", stream="front"),
        )
    )
    assert [row.event.stamp // 10**9 for row in kept] == [0, 3, 4, 5]


def test_asking_again_after_a_failed_compile_loses_nothing(make_event, make_rows):
    line = "Tool door_state() returned state={}."
    rows = make_rows(
        *(
            make_event(second, line.format(state), modality=Modality.TOOL)
            for second, state in enumerate(["open", "closed", "open", "open"])
        )
    )
    novelty = NoveltyFilter()
    first, _ = novelty.select(rows)
    again, _ = novelty.select(rows)
    assert first == again and len(first) == 3


def test_memory_of_the_filter_is_bounded(make_event, make_rows):
    novelty = NoveltyFilter(window_seconds=5)
    rows = make_rows(*(make_event(second, f"fact {second}") for second in range(3000)))
    assert len(novelty.select(rows)[0]) == 3000
    assert len(novelty._heard) <= 1025


def test_window_must_be_positive():
    with pytest.raises(ValueError, match="window_seconds is 0"):
        NoveltyFilter(0)
