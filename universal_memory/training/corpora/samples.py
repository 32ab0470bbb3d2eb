"""What the generator hands out: questions, facts and episodes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One wording of a question; `answers[0]` is canonical and stands verbatim in the statement."""

    text: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """One remembered thing: the sentence that says it and at least two ways to ask for it.

    `subject`: what it is about, each as it stands in the statement.
    """

    family: str
    statement: str
    questions: tuple[Question, ...]
    subject: tuple[str, ...] = ()


@dataclass(frozen=True)
class EpisodeSample:
    """Text of one episode (the statements joined by one space) and the facts it holds."""

    text: str
    facts: tuple[Fact, ...]
