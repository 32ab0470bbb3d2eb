"""Two facts about one person, each for a file of its own, and a question that needs both."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from universal_memory.training.corpora.families import FAMILIES
from universal_memory.training.corpora.family import Family, Value, fill
from universal_memory.training.corpora.generator import vocabulary_of
from universal_memory.training.corpora.slots import SlotSampler

OWN = "{person:her|his|their}"
# Families about a person: how a question for both facts begins, and how it goes on.
CLAUSES = {
    "home_city": ("Where does {person} live", f"what is {OWN} home town"),
    "origin": ("Where does {person} come from", f"what is {OWN} birthplace"),
    "occupation": ("What is {person:of} job", f"what is {OWN} job"),
    "employer": ("Which company does {person} work for", f"who is {OWN} employer"),
    "hobby": ("What is {person:of} hobby", f"what is {OWN} hobby"),
    "studies": ("What does {person} study", f"what is {OWN} subject"),
    "instrument_played": ("What instrument does {person} play", f"what is {OWN} instrument"),
    "favourite_food": ("What is {person:of} favourite food", f"what is {OWN} favourite food"),
    "favourite_drink": ("What does {person} like to drink", f"what is {OWN} favourite drink"),
    "favourite_colour": ("Which colour does {person} like best", f"what is {OWN} favourite colour"),
    "favourite_place": ("Where is {person} happiest", f"what is {OWN} favourite place"),
}


@dataclass(frozen=True)
class Pair:
    """Two facts about one person: texts, a question for each, accepted answers, one for both."""

    texts: tuple[str, str]
    questions: tuple[str, str]
    answers: tuple[tuple[str, ...], tuple[str, ...]]
    both: str


def pairs(count: int, split: str, seed: int) -> list[Pair]:
    """`count` pairs; the same seed gives the same ones."""
    random = Random(f"{seed} pairs")
    slots = SlotSampler(vocabulary_of(split, "open"), random)
    return [_pair(random, slots) for _ in range(count)]


def _pair(random: Random, slots: SlotSampler) -> Pair:
    while True:
        first, second = (FAMILIES[name] for name in random.sample(sorted(CLAUSES), 2))
        person = slots.draw("person")
        values = [{**_values(family, slots), "person": person} for family in (first, second)]
        words = [value.keys for row in values for name, value in row.items() if name != "person"]
        all_words = [person.keys, *words]
        apart = len(frozenset().union(*all_words)) == sum(map(len, all_words))
        if apart and (first.topic or first.name) != (second.topic or second.name):
            break
    beginning, end = CLAUSES[first.name][0], CLAUSES[second.name][1]
    (text_a, question_a, answers_a), (text_b, question_b, answers_b) = (
        _asked(family, row, random) for family, row in zip((first, second), values, strict=True)
    )
    return Pair(
        (text_a, text_b),
        (question_a, question_b),
        (answers_a, answers_b),
        f"{fill(beginning, values[0])} and {fill(end, values[1])}?",
    )


def _values(family: Family, slots: SlotSampler) -> dict[str, Value]:
    return {name: slots.draw(kind) for name, kind in family.slots.items() if name != "person"}


def _asked(
    family: Family, values: dict[str, Value], random: Random
) -> tuple[str, str, tuple[str, ...]]:
    """The fact as a sentence, a question for it, and its accepted answers."""
    statement, question = (
        fill(random.choice(templates), values)
        for templates in (family.statements, family.questions)
    )
    return _capital(statement), _capital(question), values[family.answer].answers


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
