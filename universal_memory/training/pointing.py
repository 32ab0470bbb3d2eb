"""Training of the pointer: the words of the answer, among those of the memory that holds it.

In every batch rare pieces stand for any others, the same in questions and memories. Some questions
meet a memory that does not answer them: nothing is asked for there.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from universal_memory.routing.pointer import Pointer
from universal_memory.routing.question import MAX_PIECES
from universal_memory.routing.reranker import NONE, padded
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.training.corpora import EpisodeSample
from universal_memory.training.mixed_precision import fast_bfloat16
from universal_memory.training.rare_pieces import RarePieces, swapped
from universal_memory.training.retrieval_corpus import Tokenise
from universal_memory.training.schedule import Schedule
from universal_memory.training.timed_training import TimedTraining

ORDER = 0.5  # weight of the softmax over a memory's words against the sigmoid of each
FOREIGN = 0.12  # share of questions to a memory that does not answer them
NEIGHBOURS = (-2, -1, 1, 2)  # files that may stand in for it: near-duplicates lie side by side
SHORTENED = 0.2  # share of questions that lose a piece: people ask in words of their own
PARTS = 4  # of a batch, by length


@dataclass(frozen=True)
class PointingPlan(Schedule):
    """How to train: `questions` a step."""

    questions: int = 192
    warmup: int = 100


@dataclass(frozen=True)
class Pointed:
    """A question's word pieces, a memory's, and the places in it of what is asked for."""

    question: tuple[int, ...]
    memory: tuple[int, ...]
    places: tuple[int, ...]


@dataclass(frozen=True)
class PointedFact:
    """Wordings of a question as word pieces, and the places of its answer in the memory."""

    wordings: tuple[tuple[int, ...], ...]
    places: tuple[int, ...]


class PointingCorpus:
    """Files as word pieces, with the facts whose answers stand in them word for word."""

    def __init__(self, episodes: Sequence[EpisodeSample], tokenise: Tokenise) -> None:
        self.files: list[tuple[int, ...]] = []
        self.facts: list[list[PointedFact]] = []
        for episode in episodes:
            self.files.append(tuple(tokenise(episode.text)[: SEATS * SLOTS]))
            self.facts.append([fact for fact in pointed_facts(episode, tokenise) if fact.places])
        self.answerable = [number for number, facts in enumerate(self.facts) if facts]

    def draw(self, drawn: random.Random, count: int) -> list[Pointed]:
        """`count` questions drawn at random, FOREIGN of them to another file."""
        found: list[Pointed] = []
        while len(found) < count:
            number = drawn.choice(self.answerable)
            fact = drawn.choice(self.facts[number])
            question = drawn.choice(fact.wordings)
            if drawn.random() < SHORTENED and len(question) > 1:
                gone = drawn.randrange(len(question))
                question = question[:gone] + question[gone + 1 :]
            if drawn.random() >= FOREIGN:
                found.append(Pointed(question, self.files[number], fact.places))
            elif 0 <= (other := number + drawn.choice(NEIGHBOURS)) < len(self.files):
                found.append(Pointed(question, self.files[other], ()))
        return found

    def every(self) -> list[Pointed]:
        """The first wording of every question, to its own file."""
        return [
            Pointed(fact.wordings[0], self.files[number], fact.places)
            for number in self.answerable
            for fact in self.facts[number]
        ]


def pointed_facts(episode: EpisodeSample, tokenise: Tokenise) -> list[PointedFact]:
    """The facts of an episode; `places` is empty where the answer is not in the file's words."""
    facts, start = [], 0
    for fact in episode.facts:
        pieces = tokenise(fact.statement)
        answers = (places_of(tokenise(text), pieces) for text in fact.questions[0].answers)
        found = next((places for places in answers if places), [])
        places = tuple(start + place for place in found if start + place < SEATS * SLOTS)
        wordings = tuple(tuple(tokenise(asked.text)[:MAX_PIECES]) for asked in fact.questions)
        facts.append(PointedFact(wordings, places))
        start += len(pieces)
    return facts


def places_of(wanted: Sequence[int], pieces: Sequence[int]) -> list[int]:
    """Where the pieces of a phrase stand among others, wherever it is said."""
    starts = [
        start
        for start in range(len(pieces) - len(wanted) + 1)
        if wanted and tuple(pieces[start : start + len(wanted)]) == tuple(wanted)
    ]
    return sorted({start + step for start in starts for step in range(len(wanted))})


class PointerTraining(TimedTraining):
    """Trains the pointer on a corpus; no language model is needed."""

    def __init__(
        self,
        corpus: PointingCorpus,
        rare: RarePieces,
        pointer: Pointer,
        plan: PointingPlan,
        checkpoint: Path,
        report: Callable[[dict[str, Any]], None],
    ) -> None:
        self.corpus, self.rare, self.pointer, self.plan = corpus, rare, pointer, plan
        parameters: list[Tensor] = list(pointer.parameters())
        optimizer = torch.optim.AdamW(
            parameters, lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
        )
        super().__init__(pointer, optimizer, parameters, plan, checkpoint, report)

    def losses(self, drawn: random.Random) -> tuple[Tensor, dict[str, float]]:
        """Of questions drawn at random."""
        rows = self.corpus.draw(drawn, self.plan.questions)
        rows.sort(key=lambda row: len(row.question) + len(row.memory))
        swap = self.rare.swap(drawn)
        size = -(-len(rows) // PARTS)
        each, order, first = [], [], []
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            logits, wanted = pointed(self.pointer, part, swap)
            there = padded([row.memory for row in part]) != NONE
            each.append(
                F.binary_cross_entropy_with_logits(logits[there], wanted[there], reduction="sum")
            )
            asked = wanted.any(1)
            shares = logits[asked].log_softmax(-1) * wanted[asked]
            order.append(-shares.sum(1) / wanted[asked].sum(1))
            first.append(wanted[asked].gather(1, logits[asked].argmax(1, keepdim=True)))
        level = torch.stack(each).sum() / len(rows)
        ordered = torch.cat(order).sum() / len(rows)
        measured = {"level": level, "order": ordered, "first": torch.cat(first).mean()}
        found = {name: float(one.detach()) for name, one in measured.items()}
        return level + ORDER * ordered, found


def pointed(
    pointer: Pointer, rows: Sequence[Pointed], swap: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Log-odds of every word of the memories, and 1 where it is asked for: float32 [rows, pieces].

    `swap`: what every piece stands for.
    """
    questions, memories = (
        padded([row.question for row in rows]),
        padded([row.memory for row in rows]),
    )
    wanted = torch.zeros(memories.shape)
    for number, row in enumerate(rows):
        wanted[number, list(row.places)] = 1.0
    if swap is not None:
        questions, memories = swapped(questions, swap), swapped(memories, swap)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=fast_bfloat16()):
        logits = pointer(questions, memories)
    return logits.float(), wanted
