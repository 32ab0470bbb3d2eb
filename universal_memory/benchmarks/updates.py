"""Things that change: an earlier and a later file about the same, and which of them answers.

All files are in one store with others beside them, in the order of time. Every question is put
three times: before any mark is made (both files count), with the marks that the vectors gave, and
to the two files of another story.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean
from typing import Any

from universal_memory.benchmarks.recall import Advance, Filed
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.record import Provenance
from universal_memory.runtime.answer import Prepared
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.questionnaire import contains, normalised
from universal_memory.runtime.succession import NEAR
from universal_memory.training.contradictions import contradicts
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample, SubjectRegister
from universal_memory.training.corpora.families import FAMILIES
from universal_memory.training.corpora.vocabulary import content_words
from universal_memory.training.evaluation.decoding import decode

MAX_TOKENS = 24
TOP_K, MIN_RELEVANCE = 3, 0.5  # as a robot has them
SECOND = 1_000_000_000
TRIES = 40  # stories drawn for each that is kept
LATER, EARLIER, NEITHER = "later", "earlier", "neither"


@dataclass(frozen=True)
class Story:
    """What was said of something first and last, and a question for it."""

    earlier: EpisodeSample
    later: EpisodeSample
    question: str

    @property
    def answers(self) -> dict[str, tuple[str, ...]]:
        """Accepted answers by what they tell."""
        parts = {LATER: self.later, EARLIER: self.earlier}
        return {name: one.facts[0].questions[0].answers for name, one in parts.items()}

    def heard(self, answer: str) -> str:
        """What an answer tells: LATER, EARLIER or NEITHER."""
        for name, accepted in self.answers.items():
            if normalised(answer) in map(normalised, accepted):
                return name
        return NEITHER


def updates(
    answerer: Answerer,
    questions: int,
    split: str = "held_out",
    seed: int = 20261130,
    batch: int = 8,
    advance: Advance = lambda stage, done, total: None,
) -> dict[str, Any]:
    """Shares of the questions that are answered with the later, the earlier or neither value.

    Raises ValueError where the split has too few different subjects.
    """
    told, beside = stories(questions, split, seed)
    random = Random(f"{seed} order")
    before = [*(one.earlier for one in told), *beside]
    random.shuffle(before)
    samples = [*before, *(one.later for one in told)]
    files = stored(answerer, samples, advance)
    asked = [one.question for one in told]
    rows = [_row("without marks", told, _answers(answerer, asked, batch, advance))]
    both = [_both_found(answerer, one, files) for one in told]
    marked = _mark(answerer, [files[one.text] for one in samples], advance)
    by_id = {files[one.text].id: one for one in samples}
    right = {(files[one.earlier.text].id, files[one.later.text].id) for one in told}
    given = _answers(answerer, asked, batch, advance)
    rows.append(_row("with marks", told, given))
    chosen = [row for row, found in enumerate(both) if found]
    parts = [told[row] for row in chosen], [given[row] for row in chosen]
    rows.append(_row("with marks, both found", *parts))
    among = [[files[part.text].id for part in (one.earlier, one.later)] for one in told]
    shuffled = _answers(answerer, asked, batch, advance, [*among[1:], among[0]])
    rows.append(_row("files of another story", told, shuffled))
    wrong = [pair for pair in marked if contradicts(by_id[pair[0]], by_id[pair[1]]) is False]
    return {
        "split": split,
        "seed": seed,
        "questions": len(told),
        "files": len(samples),
        "both_found": fmean(both),
        "marked": len(right & set(marked)) / len(right),
        "wrong_marks": len(wrong),
        "compared": _unlike(answerer, by_id),
        "lost": _lost(answerer, [(one, by_id[one]) for one, _ in wrong], batch, advance),
        "rows": rows,
    }


def stories(count: int, split: str, seed: int) -> tuple[list[Story], list[EpisodeSample]]:
    """`count` stories about different things, and as many other texts as they have files."""
    generator, register = EpisodeGenerator(seed, split), SubjectRegister()
    found: list[Story] = []
    for _ in range(TRIES * count):
        if len(found) == count:
            break
        earlier, _, later = generator.update()
        story = Story(earlier, later, later.facts[0].questions[0].text)
        if _apart(story) and _is_new(earlier, register):
            found.append(story)
    if len(found) < count:
        raise ValueError(f"no {count} different things change in split {split}: ask for fewer")
    beside: list[EpisodeSample] = []
    while len(beside) < 2 * count:
        if len(beside) % 4 == 0:  # what holds together looks much like what changes
            first, _, second = generator.update(together=True)
            beside += [first, second] if _is_new(first, register) else []
        beside.append(generator.episode(1, register))
    return found, beside[: 2 * count]


def stored(
    answerer: Answerer, samples: Sequence[EpisodeSample], advance: Advance
) -> dict[str, Filed]:
    """A file of each text, a second apart, in store and index."""
    found: dict[str, Filed] = {}
    for number, sample in enumerate(samples, 1):
        usv = answerer.space.encode([sample.text])
        passport = answerer.passport_encoder.passports(usv)[0]
        file = MemoryFile.create(usv[0], passport, answerer.space.space_id, number)
        stamp = number * SECOND
        answerer.store.add(file, Provenance(stamp, stamp, stamp))
        found[sample.text] = Filed(file.id, usv[0], len(file.to_bytes()))
        advance("compiling", number, len(samples))
    answerer.index.synchronise(answerer.store)
    return found


def _apart(story: Story) -> bool:
    """Whether the two answers can be told apart, and the question names neither."""
    one, other = (accepted[0] for accepted in story.answers.values())
    return not (contains(one, (other,)) or contains(other, (one,)))


def _is_new(sample: EpisodeSample, register: SubjectRegister) -> bool:
    """Whether nothing else is told of what a text is about; it is taken then."""
    fact = sample.facts[0]
    family = FAMILIES[fact.family]
    topic, subject = family.topic or family.name, content_words(" ".join(fact.subject))
    if not register.admits(topic, subject):
        return False
    register.add(topic, subject)
    return True


def _answers(
    answerer: Answerer,
    questions: Sequence[str],
    batch: int,
    advance: Advance,
    among: Sequence[Sequence[str]] | None = None,
) -> list[str]:
    """Greedy answers, each from the files that a robot would put on."""
    found: list[str] = []
    for start in range(0, len(questions), batch):
        part = range(start, min(start + batch, len(questions)))
        ready: list[Prepared] = [
            answerer.prepare(
                questions[row], top_k=TOP_K, min_relevance=MIN_RELEVANCE if among is None else 0.0,
                among=None if among is None else among[row],
            )
            for row in part
        ]  # fmt: skip
        found += decode(answerer.language_model, ready, MAX_TOKENS)
        advance("answering", len(found), len(questions))
    return found


def _both_found(answerer: Answerer, story: Story, files: dict[str, Filed]) -> bool:
    hits = answerer.prepare(story.question, top_k=TOP_K, min_relevance=MIN_RELEVANCE).hits
    return {files[one.text].id for one in (story.earlier, story.later)} <= {hit.id for hit in hits}


def _mark(
    answerer: Answerer, files: Sequence[Filed], advance: Advance
) -> list[tuple[str, str]]:
    """What is superseded, and by what, after every file in its turn was compared with others."""
    for number, file in enumerate(files, 1):
        answerer.succession.mark([file.id])
        advance("comparing", number, len(files))
    return [(mark.superseded, mark.superseding) for mark in answerer.store.marks.all()]


def _unlike(answerer: Answerer, by_id: dict[str, EpisodeSample]) -> int:
    """Pairs that were compared and do not contradict each other."""
    pairs = {
        frozenset((memory_id, other))
        for memory_id in by_id
        for other, _ in answerer.index.search(answerer.store.get(memory_id).passport, NEAR + 1)
        if other != memory_id
    }
    return sum(contradicts(*(by_id[one] for one in pair)) is False for pair in pairs)


def _lost(
    answerer: Answerer,
    marked: Sequence[tuple[str, EpisodeSample]],
    batch: int,
    advance: Advance,
) -> int:
    """Of files that were marked wrongly, by id: how many are not answered from any more."""
    asked = [one.facts[0].questions[0] for _, one in marked]
    texts = [one.text for one in asked]
    routed = _answers(answerer, texts, batch, advance)
    alone = _answers(answerer, texts, batch, advance, [[memory_id] for memory_id, _ in marked])
    return sum(
        _is_right(own, one.answers) and not _is_right(answer, one.answers)
        for own, answer, one in zip(alone, routed, asked, strict=True)
    )


def _is_right(answer: str, accepted: Sequence[str]) -> bool:
    return normalised(answer) in map(normalised, accepted)


def _row(kind: str, told: Sequence[Story], answers: Sequence[str]) -> dict[str, Any]:
    heard = [story.heard(answer) for story, answer in zip(told, answers, strict=True)]
    shares = {name: fmean(one == name for one in heard) if heard else None
              for name in (LATER, EARLIER, NEITHER)}  # fmt: skip
    return {"kind": kind, "questions": len(heard), **shares}
