"""The day as data: its facts, questions and times fit together."""

import re

import pytest

from sim import script
from sim.home import DOORS
from universal_memory.runtime.questionnaire import contains

SPOKEN = {scene.utterance.fact: scene.utterance for scene in script.SCENES if scene.utterance}
CALLED = {scene.call.fact: scene.call for scene in script.SCENES if scene.call}
SEEN = {scene.sight.fact: scene.sight for scene in script.SCENES if scene.sight}


def told(fact: str) -> str:
    """Everything the day says about a fact."""
    if fact in SPOKEN:
        return f"{SPOKEN[fact].speaker} {SPOKEN[fact].text}"
    if fact in SEEN:
        names = [script.MARKER_NAMES[SEEN[fact].marker]] if SEEN[fact].marker is not None else []
        return " ".join((*SEEN[fact].lines, *names))
    call = CALLED[fact]
    return " ".join(map(str, (call.name, *call.arguments.values(), *call.result.values())))


def test_the_day_is_long_enough_and_has_three_streams():
    assert script.duration() >= 240
    streams = list(script.streams().values())
    assert {name: streams.count(name) for name in set(streams)} == {
        "camera": 8,
        "audio": 8,
        "tool": 8,
    }
    assert len({utterance.speaker for utterance in SPOKEN.values()}) >= 2


def test_every_scene_holds_two_facts_that_end_before_the_robot_leaves():
    for scene in script.SCENES:
        assert len(scene.facts) == 2
        for part in (scene.utterance, scene.call):
            assert part is None or 0 < part.at < script.DWELL_SECONDS - 3


@pytest.mark.parametrize("question", script.QUESTIONS, ids=lambda question: question.text)
def test_the_day_holds_the_answer_of_a_known_question_and_no_other(question):
    if question.fact is None:
        assert not question.answers
        return
    assert contains(told(question.fact), question.answers)


def test_every_fact_is_asked_for_once_and_four_questions_are_about_nothing():
    asked = [question.fact for question in script.QUESTIONS if question.fact]
    assert sorted(asked) == sorted(script.streams())
    assert sum(question.fact is None for question in script.QUESTIONS) == 4


def test_no_question_gives_its_answer_away():
    for question in script.QUESTIONS:
        assert not any(contains(question.text, (answer,)) for answer in question.answers)


def test_speakers_have_voices_and_markers_names():
    assert {utterance.speaker for utterance in SPOKEN.values()} <= set(script.VOICES)
    markers = {sight.marker for sight in SEEN.values() if sight.marker is not None}
    assert markers == set(script.MARKER_NAMES)


def test_rooms_are_connected():
    rooms = {room for pair in DOORS for room in pair}
    assert {scene.view.room for scene in script.SCENES} <= rooms


def test_signs_are_short_words():
    for sight in SEEN.values():
        assert all(re.fullmatch(r"[\w: ]{2,16}", line) for line in sight.lines)
