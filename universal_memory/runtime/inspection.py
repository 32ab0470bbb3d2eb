"""What can be told of one memory file beside its ledger row: its words, its kind, what it answers.

A memory holds no text, but a reader of the space recovers the word pieces in its seats; what else
its slots say is likened to probes; and its rendered adapter is asked, with nothing but the question
in the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from universal_memory.memory.file import MemoryFile
from universal_memory.routing.index import PassportIndex
from universal_memory.runtime.answerer import Answerer

# The first word is what renderers learn to recite a memory at (training.batches.RECITE).
QUESTIONS = ("Recall.", "Who is it about?", "What is it about?", "Where is it?", "When is it?")


@dataclass(frozen=True)
class Reply:
    """What a memory alone makes the language model say. `relevance`: of it to the question."""

    question: str
    answer: str
    relevance: float


def replies(
    answerer: Answerer, memory_id: str, questions: Sequence[str] = QUESTIONS
) -> list[Reply]:
    """The answers of one memory at full gate, however little it has to do with the questions.

    Raises what `Answerer.answer` raises.
    """
    found = []
    for question in questions:
        ready = answerer.prepare(question, top_k=1, min_relevance=0.0, among=[memory_id])
        answer = answerer.language_model.text(answerer.say(ready))
        found.append(Reply(question, answer, ready.hits[0].relevance))
    return found


def neighbours(index: PassportIndex, file: MemoryFile, count: int) -> list[tuple[str, float]]:
    """The `count` other memories whose passports are nearest, with cosines; the nearest first."""
    near = index.search(file.passport, count + 1)
    return [(memory_id, cosine) for memory_id, cosine in near if memory_id != file.id][:count]
