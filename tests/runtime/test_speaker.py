"""First person in a question is the one who asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.runtime.speaker import bind_speaker


@pytest.mark.parametrize(
    ("question", "bound"),
    [
        ("How strong should my tea be?", "How strong should Anna's tea be?"),
        ("My tea?", "Anna's tea?"),
        ("Where did I put my keys?", "Where did Anna put Anna's keys?"),
        ("What do I drink?", "What does Anna drink?"),
        ("Do I like fish?", "Does Anna like fish?"),
        ("Have I eaten?", "Has Anna eaten?"),
        ("What am I allergic to?", "What is Anna allergic to?"),
        ("What should you give me?", "What should you give Anna?"),
        ("Which cup is mine?", "Which cup is Anna's?"),
        ("I'm late for what?", "Anna is late for what?"),
        ("I've which appointment?", "Anna has which appointment?"),
        ("What did i say about myself?", "What did Anna say about Anna?"),
    ],
)
def test_first_person_becomes_the_speaker(question: str, bound: str) -> None:
    assert bind_speaker(question, "Anna") == bound


@pytest.mark.parametrize(
    "question", ["Where is the minibus?", "Whose army is in Miami?", "Is it time?", ""]
)
def test_words_that_only_contain_it_stay(question: str) -> None:
    assert bind_speaker(question, "Anna") == question


@pytest.mark.parametrize("speaker", ["", "  "])
def test_without_a_speaker_nothing_changes(speaker: str) -> None:
    assert bind_speaker("Where is my tea?", speaker) == "Where is my tea?"


@pytest.mark.parametrize("speaker", ["My", "I", "{speaker}", r"\1", "Me Do I"])
def test_a_name_is_put_in_as_it_is(speaker: str) -> None:
    assert bind_speaker("What do I drink from my cup?", speaker) == (
        f"What does {speaker} drink from {speaker}'s cup?"
    )


@given(st.text(max_size=200), st.text(max_size=20))
def test_any_text_is_bound_without_an_error(question: str, speaker: str) -> None:
    assert isinstance(bind_speaker(question, speaker), str)
