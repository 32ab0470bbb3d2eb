"""Questions with accepted answers, and how answers to them are judged.

An answer is right when it contains an accepted one as whole words, after SQuAD normalisation
(Rajpurkar et al. 2016): lower case, no punctuation, no articles. A question about nothing that was
ever experienced is answered rightly by the untouched base model, source BASE, or by saying that it
is not known, source UNKNOWN.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_PUNCTUATION = str.maketrans("", "", string.punctuation)


class QuestionnaireError(ValueError):
    """A file of questions that cannot be used; the message has the remedy."""


@dataclass(frozen=True)
class Question:
    """What is asked, the accepted answers, the stream they came through; unknown: never seen."""

    text: str
    answers: tuple[str, ...]
    stream: str = ""
    fact: str = ""
    unknown: bool = False


@dataclass(frozen=True)
class Reply:
    """What came back: answer, source, and the memories used as (id, relevance, gate)."""

    answer: str
    source: str
    memories: tuple[tuple[str, float, float], ...]
    milliseconds: dict[str, float]  # route, load, render, generate
    prompt_tokens: int


@dataclass(frozen=True)
class Totals:
    """Counts over a questionnaire; `asked` and `right` leave the unknown ones out."""

    asked: int
    right: int
    right_compiled: int
    unknown_asked: int
    unknown_right: int


def load_questions(path: Path) -> list[Question]:
    """Questions of a YAML file: a list of {question, answers, stream, fact, unknown}.

    Raises QuestionnaireError naming the entry at fault.
    """
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise QuestionnaireError(f"cannot read the questions {path}: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise QuestionnaireError(f"{path} holds no questions: give a list of them")
    return [_question(row, f"question {number} of {path}") for number, row in enumerate(rows, 1)]


def _question(row: Any, where: str) -> Question:
    if not isinstance(row, dict) or not isinstance(row.get("question"), str):
        raise QuestionnaireError(f"{where} is {row!r}: give a mapping with `question`")
    answers = row.get("answers") or []
    unknown = bool(row.get("unknown", False))
    if not isinstance(answers, list) or not all(isinstance(answer, str) for answer in answers):
        raise QuestionnaireError(f"{where} has answers {answers!r}: give a list of texts")
    if bool(answers) == unknown:
        raise QuestionnaireError(f"{where} needs either accepted `answers` or `unknown: true`")
    return Question(
        row["question"],
        tuple(answers),
        str(row.get("stream") or ""),
        str(row.get("fact") or ""),
        unknown,
    )


def normalised(text: str) -> str:
    """Lower case, no punctuation, no articles, single spaces."""
    plain = text.lower().translate(_PUNCTUATION)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", plain).split())


def contains(answer: str, accepted: Sequence[str]) -> bool:
    """Whether an accepted answer stands in `answer` as whole words."""
    said = f" {normalised(answer)} "
    return any(f" {normalised(one)} " in said for one in accepted if normalised(one))


def is_right(question: Question, reply: Reply) -> bool:
    """Whether a reply is right; of an unknown question, whether no memory and no text was used."""
    if question.unknown:
        return reply.source in ("BASE", "UNKNOWN")
    return contains(reply.answer, question.answers)


def totals(pairs: Sequence[tuple[Question, Reply]]) -> Totals:
    """Counts over questions and their replies."""
    known = [(question, reply) for question, reply in pairs if not question.unknown]
    right = [(question, reply) for question, reply in known if is_right(question, reply)]
    unknown = [(question, reply) for question, reply in pairs if question.unknown]
    return Totals(
        asked=len(known),
        right=len(right),
        right_compiled=sum(reply.source == "COMPILED" for _, reply in right),
        unknown_asked=len(unknown),
        unknown_right=sum(is_right(question, reply) for question, reply in unknown),
    )
