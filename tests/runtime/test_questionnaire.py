"""Reading questions and judging answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.runtime.questionnaire import (
    Question,
    QuestionnaireError,
    Reply,
    contains,
    is_right,
    load_questions,
    normalised,
    totals,
)


def reply(answer: str, source: str = "COMPILED") -> Reply:
    return Reply(answer, source, (), {}, 20)


KNOWN = Question("Where are the keys?", ("blue bowl",))
UNKNOWN = Question("Who is the mayor?", (), unknown=True)


@pytest.mark.parametrize(
    ("answer", "accepted", "right"),
    [
        ("In the Blue Bowl.", ["blue bowl"], True),
        ("a bowl, blue", ["blue bowl"], False),
        ("190", ["19"], False),
        ("19 degrees", ["19"], True),
        ("Monday, 9:30", ["Monday 9:30"], True),
        ("Monday at 9.30", ["Monday 9:30", "Monday at 9:30"], True),
        ("weakness", ["weak"], False),
        ("", ["weak"], False),
        ("anything", ["the"], False),
    ],
)
def test_containment_is_by_whole_normalised_words(answer, accepted, right):
    assert contains(answer, accepted) is right


@given(st.text())
def test_normalisation_is_idempotent_and_never_fails(text):
    once = normalised(text)
    assert normalised(once) == once
    assert not contains(text, ["", "the", "..."])


def test_unknown_questions_are_right_only_without_a_memory():
    assert is_right(UNKNOWN, reply("I do not know.", "BASE"))
    assert is_right(UNKNOWN, reply("I do not know.", "UNKNOWN"))
    assert not is_right(KNOWN, reply("I do not know.", "UNKNOWN"))
    assert not is_right(UNKNOWN, reply("I do not know.", "COMPILED"))


def test_totals_count_sources_apart():
    pairs = [
        (KNOWN, reply("blue bowl")),
        (KNOWN, reply("blue bowl", "FRESH")),
        (KNOWN, reply("shelf")),
        (UNKNOWN, reply("?", "BASE")),
        (UNKNOWN, reply("?", "MIXED")),
    ]
    counted = totals(pairs)
    assert (counted.asked, counted.right, counted.right_compiled) == (3, 2, 1)
    assert (counted.unknown_asked, counted.unknown_right) == (2, 1)


def test_reads_questions(tmp_path):
    path = tmp_path / "questions.yaml"
    path.write_text(
        '- {question: "Where?", answers: [here, there], stream: audio, fact: place}\n'
        '- {question: "Who?", unknown: true}\n'
    )
    assert load_questions(path) == [
        Question("Where?", ("here", "there"), "audio", "place"),
        Question("Who?", (), unknown=True),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no questions"),
        ("a: b", "holds no questions"),
        ("- just text", "question 1 of"),
        ("- {question: 3, answers: [x]}", "give a mapping with `question`"),
        ('- {question: "Where?"}', "either accepted `answers` or `unknown: true`"),
        ('- {question: "Where?", answers: [x], unknown: true}', "either accepted"),
        ('- {question: "Where?", answers: [3]}', "give a list of texts"),
        ('- {question: "Where?", answers: here}', "give a list of texts"),
        ("- [", "cannot read the questions"),
    ],
)
def test_bad_files_say_what_is_wrong(tmp_path, text, reason):
    path = tmp_path / "questions.yaml"
    path.write_text(text)
    with pytest.raises(QuestionnaireError, match=reason):
        load_questions(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(QuestionnaireError, match=r"nowhere\.yaml"):
        load_questions(tmp_path / "nowhere.yaml")
