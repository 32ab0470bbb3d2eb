"""Writes the project's own evaluation sets in the format of `ump eval` (design, section 8)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from universal_memory.training.corpora.families import (
    FAMILIES,
    HELD_OUT_FAMILIES,
    families_of,
    happenings,
    pronouns,
    requests,
    speakers,
)
from universal_memory.training.corpora.family import Family
from universal_memory.training.corpora.generator import EpisodeGenerator
from universal_memory.training.corpora.references import sentences
from universal_memory.training.corpora.samples import EpisodeSample, Fact
from universal_memory.training.corpora.subject_register import SubjectRegister

# Streams of the events by the way their text begins; anything else is typed text.
STREAMS = (
    ("Tool ", "tool"),
    ("Sign reads: ", "camera/front"),
    ("Marker: ", "camera/front"),
    ("Camera sees: ", "camera/front"),
)


def _kinds(families: Sequence[Family]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Held-out words in trained kinds of facts, in turn with kinds that training never drew."""
    names = [family.name for family in families]
    return (
        ("held_out", tuple(name for name in names if name not in HELD_OUT_FAMILIES)),
        ("unseen_families", tuple(name for name in names if name in HELD_OUT_FAMILIES)),
    )


# Sets of other answers than short ones: (split, families) to take in turn. A long answer is a
# gloss of a held-out word or a clause of trained words; held-out words alone would make no clause
# that differs from the others in more than its nouns.
RECIPES: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "cloze": (("held_out", ("cloze_sentence", "cloze_part")),),
    "long": (
        ("held_out", ("definition", "tool_look_up")),
        ("new_combinations", tuple(n for n, family in FAMILIES.items() if family.genre == "long")),
    ),
    "speaker": _kinds(speakers.FAMILIES),
    "pronouns": _kinds(pronouns.FAMILIES),
    "times": _kinds(happenings.FAMILIES),
    "requests": _kinds(requests.FAMILIES),
}
EPISODE_GAP = (30.0, 90.0)  # seconds; longer than the gap at which the episode cutter cuts (20 s)
EVENT_GAP = (1.0, 6.0)  # seconds


def stream_of(statement: str) -> str:
    """The stream an event with this text would come from."""
    for start, stream in STREAMS:
        if statement.startswith(start):
            return stream
    return "audio" if " said: " in statement else "text"


def evaluation_lines(
    seed: int,
    episodes: int,
    facts_per_episode: int | Sequence[int],
    split: str = "held_out",
    vocabulary: str = "open",
    families: Sequence[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Episodes whose questions have one answer in the whole set, as JSON objects.

    Args:
        seed: same seed, same set.
        episodes: how many.
        facts_per_episode: facts in each episode, or several numbers to take in turn.
        split: as for `EpisodeGenerator`, or one of `RECIPES`.
        vocabulary, families: as for `EpisodeGenerator`.

    Raises:
        ValueError: when the families have not enough different subjects for so many episodes.
    """
    counts = [facts_per_episode] if isinstance(facts_per_episode, int) else [*facts_per_episode]
    recipe = RECIPES.get(split) or ((split, tuple(families or _with_subjects(split))),)
    generators = [EpisodeGenerator(seed, name, vocabulary, used) for name, used in recipe]
    register = SubjectRegister()
    random = Random(f"{seed} evaluation")
    clock = 0.0
    for number in range(episodes):
        wanted = counts[number % len(counts)]
        generator = generators[number % len(generators)]
        sample = generator.episode(wanted, register)
        while len(sample.facts) < wanted:
            sample = generator.episode(wanted, register)
        clock += random.uniform(*EPISODE_GAP)
        experience = []
        for text in (text for fact in sample.facts for text in _events(fact)):
            clock = round(clock + random.uniform(*EVENT_GAP), 1)
            experience.append({"t": clock, "stream": stream_of(text), "text": text})
        yield {
            "id": f"{split}-{seed}-{number:04d}",
            "experience": experience,
            "questions": _questions(sample, random, own=split == "speaker"),
        }


def _with_subjects(split: str) -> Iterator[str]:
    """Families with a subject of their own: facts of others would be asked for twice.

    Those of the closed vocabulary are the short answers, whatever the split.
    """
    for name in families_of(split, "closed"):
        if FAMILIES[name].subject and not FAMILIES[name].exempt:
            yield name


def _events(fact: Fact) -> list[str]:
    """The texts of the events that a fact comes in: what refers back is an event of its own."""
    if FAMILIES[fact.family] not in pronouns.FAMILIES:
        return [fact.statement]
    speaker, said, rest = fact.statement.partition(" said: ")
    if not said:
        return sentences(fact.statement)
    prefix = speaker + said
    return [prefix + text.removeprefix(prefix) for text in sentences(rest)]


def _questions(sample: EpisodeSample, random: Random, own: bool) -> list[dict[str, Any]]:
    """One wording for each fact; where `own`, asked by whom it is about, if it can be."""
    asked = []
    for fact in sample.facts:
        question = random.choice(fact.questions)
        entry = {"q": question.text, "answers": [*question.answers], "family": fact.family}
        asked.append(entry | (_first_person(question.text, fact.subject) if own else {}))
    return asked


def _first_person(question: str, people: Sequence[str]) -> dict[str, str]:
    """The question as one of `people` asks it, and who that is; nothing where it cannot be."""
    for name in people:
        mine, found = re.subn(rf"\b{re.escape(name)}'s\b", "my", question, flags=re.IGNORECASE)
        if found and name.lower() not in mine.lower():
            return {"q": mine[0].upper() + mine[1:], "speaker": name}
    return {}


def write_evaluation(
    path: Path | str,
    seed: int,
    episodes: int,
    facts_per_episode: int | Sequence[int],
    split: str = "held_out",
    vocabulary: str = "open",
    families: Sequence[str] | None = None,
) -> int:
    """Writes an evaluation set as JSONL and returns its number of questions.

    Each line is `{"id", "experience": [{"t", "stream", "text"}], "questions": [{"q", "answers"}]}`
    with one event for each statement; `family` of a question is extra and may be ignored.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    questions = 0
    with path.open("w", encoding="utf-8") as file:
        for line in evaluation_lines(
            seed, episodes, facts_per_episode, split, vocabulary, families
        ):
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
            questions += len(line["questions"])
    return questions
