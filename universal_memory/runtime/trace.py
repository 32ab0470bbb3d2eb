"""A trace: from a wrong answer back to the words, the slots and the files that it was made of.

Route: which files were looked at, and why most were left out. Gates: how much of each was put on.
Then the anatomy of the answer: which rank fired where, and what that did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from universal_memory.experience.event import Event
from universal_memory.routing.router import LOOKED_AT
from universal_memory.runtime.anatomy import Anatomy, dissected
from universal_memory.runtime.answer import Prepared
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.finder import Finder
from universal_memory.runtime.speaker import bind_speaker


@dataclass(frozen=True)
class Candidate:
    """A file that was looked at. `cosine`: of its passport and the question.

    `gate`: 0 for one that was left out; `left_out`: why, else "".
    """

    id: str
    cosine: float
    relevance: float
    gate: float
    left_out: str


@dataclass(frozen=True)
class Trace:
    """An answer and where it came from; `candidates` with the most relevant file first.

    `anatomy`: None where no file was put on, or nothing was said.
    """

    question: str
    answer: str
    source: str
    candidates: tuple[Candidate, ...]
    anatomy: Anatomy | None


def trace(
    answerer: Answerer,
    question: str,
    speaker: str = "",
    top_k: int = 3,
    min_relevance: float = 0.5,
    max_tokens: int = 32,
    fresh: Sequence[Event] = (),
) -> Trace:
    """Answer as `answerer` would, and take the answer apart.

    Raises what `Answerer.answer` raises. The language model is left as it was.
    """
    ready = answerer.prepare(question, speaker, top_k, min_relevance, fresh)
    candidates = _candidates(answerer, bind_speaker(question, speaker), ready, top_k, min_relevance)
    answer, anatomy = dissected(answerer, ready, max_tokens)
    return Trace(question, answer, ready.source, tuple(candidates), anatomy)


def _candidates(
    answerer: Answerer, question: str, ready: Prepared, top_k: int, min_relevance: float
) -> list[Candidate]:
    """The files that were read for a question, the most relevant first."""
    store, router = answerer.store, answerer.router
    asked = router.ask(question)
    finder = Finder(router, store, answerer.index, answerer.space.reader)
    gates = {hit.id: hit.gate for hit in ready.hits}
    found = []
    for place, (memory_id, logit) in enumerate(finder.find(asked, LOOKED_AT, 0.0)):
        relevance, gate = router.relevance(logit), gates.get(memory_id, 0.0)
        left_out = ""
        if relevance < min_relevance:
            left_out = f"relevance under {min_relevance:g}"
        elif place >= top_k:
            left_out = f"more than {top_k} files"
        elif gate == 0.0:
            left_out = "gate: far less relevant than the best"
        cosine = float(store.get(memory_id).passport @ asked.vector)
        found.append(Candidate(memory_id, cosine, relevance, gate, left_out))
    return found
