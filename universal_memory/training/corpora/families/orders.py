"""Who is next to whom, and from when until when: orders of people, places, things and times."""

from __future__ import annotations

from universal_memory.training.corpora.families.happenings import IN_ORDER, PEOPLE_IN_ORDER
from universal_memory.training.corpora.family import Family

# Each in an order of three: `a`, `b`, `c`.
TALKED = (
    "{a} talked first, then {b}, then {c}.",
    "First {a} talked, after that {b}, and in the end {c}.",
    "{a}, {b} and {c} talked, in this order.",
    "{a} talked at {t1}, {b} at {t2}, {c} at {t3}.",
    "{a} talked. Then {b} talked. Then {c} talked.",
)
LINE = (
    "In the line {a} is first, then {b}, then {c}.",
    "In the line are {a}, {b} and {c}, in this order.",
    "In the line {b} is behind {a}, and {c} is behind {b}.",
    "The line: {a}, {b}, {c}.",
    "{a} is the first in the line. Then comes {b}. Then comes {c}.",
)
TOUR = (
    "The tour goes to the {a}, then to the {b}, then to the {c}.",
    "First the tour goes to the {a}, after that to the {b}, and in the end to the {c}.",
    "The {a}, the {b} and the {c} are on the tour, in this order.",
    "The tour is at the {a} at {t1}, at the {b} at {t2} and at the {c} at {t3}.",
    "The tour: {a}, {b}, {c}.",
)
ROW = (
    "On the shelf from left to right: the {a}, the {b}, the {c}.",
    "The {a}, the {b} and the {c} are on the shelf, from left to right.",
    "On the shelf the {b} is right of the {a}, and the {c} is right of the {b}.",
    "On the shelf the {a} is on the left, then comes the {b}, and on the right is the {c}.",
    "From left to right the shelf holds the {a}, the {b} and the {c}.",
)
TIMES = {"t1": "day.first", "t2": "day.second", "t3": "day.third"}
PEOPLE = {"a": "first_name", "b": "first_name", "c": "first_name"}
PLACES = {"a": "public_place", "b": "public_place", "c": "public_place"}
THINGS = {"a": "object", "b": "object", "c": "object"}


def _order(
    name: str,
    slots: dict[str, str],
    statements: tuple[str, ...],
    next_one: tuple[str, ...],
    one_before: tuple[str, ...],
) -> tuple[Family, ...]:
    """Four families: what is next to the first, to the middle one, and before them.

    `next_one`, `one_before`: questions about what comes after and before `{one}`.
    """

    def family(suffix: str, one: str, answer: str, wordings: tuple[str, ...]) -> Family:
        questions = tuple(wording.replace("{one}", f"{{{one}}}") for wording in wordings)
        return Family(
            f"{name}_{suffix}", slots, (one,), answer, statements, questions,
            topic=f"{name}_{'after' if wordings is next_one else 'before'}", genre="living",
        )  # fmt: skip

    return (
        family("second", "a", "b", next_one),
        family("third", "b", "c", next_one),
        family("before_last", "c", "b", one_before),
        family("before_second", "b", "a", one_before),
    )


def _span(
    name: str, statements: tuple[str, ...], begins: tuple[str, ...], ends: tuple[str, ...]
) -> tuple[Family, Family]:
    """From when and until when something was of `a`."""
    slots = {"a": "person", "t1": "day.first", "t2": "day.second"}
    return (
        Family(f"{name}_from", slots, ("a",), "t1", statements, begins, genre="living"),
        Family(f"{name}_until", slots, ("a",), "t2", statements, ends, genre="living"),
    )


FAMILIES = (
    # In texts that training has one more question about (`came_last`), which else need not be read.
    Family(
        "came_first",
        PEOPLE_IN_ORDER,
        ("place",),
        "a",
        IN_ORDER,
        (
            "Who came first to the {place}?",
            "Who was the first one at the {place}?",
            "Who came to the {place} before all others?",
            "Who was first at the {place}?",
            "The first one at the {place} was who?",
        ),
        topic="order_first",
        genre="living",
    ),
    Family(
        "came_second",
        PEOPLE_IN_ORDER,
        ("place",),
        "b",
        IN_ORDER,
        (
            "Who came second to the {place}?",
            "Who was the second one at the {place}?",
            "Who came to the {place} as the second?",
            "Who was second at the {place}?",
            "The second one at the {place} was who?",
        ),
        topic="order_second",
        genre="living",
    ),
    *_order(
        "talked",
        {**PEOPLE, **TIMES},
        TALKED,
        (
            "Who talked after {one}?",
            "Who talked next after {one}?",
            "After {one}, who talked?",
            "{one} talked, and who then?",
            "Who was it that talked right after {one}?",
        ),
        (
            "Who talked before {one}?",
            "Who talked right before {one}?",
            "Before {one}, who talked?",
            "Who had talked when {one} talked?",
            "Who was it that talked just before {one}?",
        ),
    ),
    *_order(
        "line",
        PEOPLE,
        LINE,
        (
            "Who is behind {one} in the line?",
            "Who is right behind {one}?",
            "Who comes after {one} in the line?",
            "In the line, who comes after {one}?",
            "Which person is next in the line after {one}?",
        ),
        (
            "Who is in front of {one} in the line?",
            "Who is right in front of {one}?",
            "Who comes before {one} in the line?",
            "In the line, who comes before {one}?",
            "Behind whom is {one} in the line?",
        ),
    ),
    *_order(
        "tour",
        {**PLACES, **TIMES},
        TOUR,
        (
            "Where does the tour go after the {one}?",
            "Where does the tour go next after the {one}?",
            "After the {one}, where does the tour go?",
            "What comes after the {one} on the tour?",
            "From the {one} the tour goes where?",
        ),
        (
            "Where does the tour go before the {one}?",
            "Where was the tour before the {one}?",
            "Before the {one}, where does the tour go?",
            "What comes before the {one} on the tour?",
            "From where does the tour come to the {one}?",
        ),
    ),
    *_order(
        "row",
        THINGS,
        ROW,
        (
            "What is right of the {one}?",
            "What is on the shelf right of the {one}?",
            "What is on the right of the {one}?",
            "On the shelf, what comes after the {one}?",
            "What comes to the right of the {one}?",
        ),
        (
            "What is left of the {one}?",
            "What is on the shelf left of the {one}?",
            "What is on the left of the {one}?",
            "On the shelf, what comes before the {one}?",
            "What comes to the left of the {one}?",
        ),
    ),
    *_span(
        "slept",
        (
            "{a} slept from {t1} to {t2}.",
            "{a} was asleep from {t1} until {t2}.",
            "{a} fell asleep at {t1} and woke up at {t2}.",
            "{t1}: {a} falls asleep. {t2}: {a} wakes up.",
            "At {t1} {a} fell asleep. At {t2} {a:she|he|they} woke up.",
        ),
        (
            "When did {a} fall asleep?",
            "At what time did {a} fall asleep?",
            "From when was {a} asleep?",
            "Since when was {a} asleep?",
            "What time was it when {a} fell asleep?",
        ),
        (
            "When did {a} wake up?",
            "At what time did {a} wake up?",
            "Until when was {a} asleep?",
            "Until when did {a} sleep?",
            "What time was it when {a} woke up?",
        ),
    ),
    *_span(
        "visited",
        (
            "{a} was here from {t1} to {t2}.",
            "At {t1} {a} came. At {t2} {a:she|he|they} went home.",
            "{a} came at {t1} and went home at {t2}.",
            "{t1}: {a} comes in. {t2}: {a} goes home.",
            "From {t1} until {t2} {a} was here.",
        ),
        (
            "When did {a} come?",
            "At what time did {a} come?",
            "From when was {a} here?",
            "Since when was {a} here?",
            "What time was it when {a} came?",
        ),
        (
            "When did {a} go home?",
            "At what time did {a} go home?",
            "Until when was {a} here?",
            "When was {a} no longer here?",
            "What time was it when {a} went home?",
        ),
    ),
)
