"""Draws what fills the slots of a family: names, things, places, times, numbers and codes.

A kind of slot is a method without arguments of one of the classes here that returns a `Value`;
`KINDS` lists them. Adding a kind is adding a method. One that returns several values by name is
drawn once for all slots that take a part of it (`gloss.word`, `gloss.meaning`).
"""

from __future__ import annotations

from universal_memory.training.corpora.slots.clauses import CLAUSE_WORDS, Clauses
from universal_memory.training.corpora.slots.codes import Codes
from universal_memory.training.corpora.slots.deeds import DEED_WORDS, Deeds
from universal_memory.training.corpora.slots.phrases import (
    EVENT_KINDS,
    QUANTITIES,
    TASK_GERUNDS,
    TASK_VERBS,
    VITALS,
    WEATHER,
    Phrases,
)
from universal_memory.training.corpora.slots.places import Places
from universal_memory.training.corpora.slots.prose import Prose
from universal_memory.training.corpora.slots.relations import Relations
from universal_memory.training.corpora.slots.times import Times
from universal_memory.training.corpora.vocabulary import content_words

NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip

# Words that all splits share because they belong to the sentence, not to the world.
SHARED_WORDS = CLAUSE_WORDS | DEED_WORDS | content_words(
    " ".join((*TASK_VERBS, *TASK_GERUNDS, *EVENT_KINDS, *VITALS, *QUANTITIES, *WEATHER, *NUMBERS))
    + " breakfast lunch dinner supper brunch soup starter dessert main dish special wall ceiling "
    "door floor window frame train bus ferry tram coach flight trip box room degrees percent "
    "minutes hours days weeks euros dollars pounds francs milligrams drops millilitres grams"
)


class SlotSampler(Deeds, Places, Times, Codes, Phrases, Clauses, Prose, Relations):
    """Draws a value of every kind."""


KINDS = frozenset(
    name
    for name in dir(SlotSampler)
    if getattr(getattr(SlotSampler, name), "__annotations__", {}).get("return")
    in ("Value", "dict[str, Value]")
    and name not in ("draw", "draw_parts")
)
