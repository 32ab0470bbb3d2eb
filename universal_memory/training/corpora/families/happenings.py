"""What happened when, and what came before and after it: several happenings in one text."""

from __future__ import annotations

from universal_memory.training.corpora.family import Family

# Happenings in the order of their times: `a` did `x` at `t1`, `b` did `y` at `t2`, ...
TWO = (
    "At {t1} {a} {x}. At {t2} {b} {y}.",
    "{a} {x} at {t1}. {b} {y} at {t2}.",
    "{t1}: {a} {x}. {t2}: {b} {y}.",
    "At {t1} {a} {x}, and at {t2} {b} {y}.",
    "{a} {x} at {t1}, {b} {y} at {t2}.",
    "It was {t1} when {a} {x} and {t2} when {b} {y}.",
)
THREE = (
    "At {t1} {a} {x}. At {t2} {b} {y}. At {t3} {c} {z}.",
    "{a} {x} at {t1}. {b} {y} at {t2}. {c} {z} at {t3}.",
    "{t1}: {a} {x}. {t2}: {b} {y}. {t3}: {c} {z}.",
    "{a} {x} at {t1}, {b} {y} at {t2} and {c} {z} at {t3}.",
    "At {t1} {a} {x}, at {t2} {b} {y}, at {t3} {c} {z}.",
)
SLOTS_OF_TWO = {
    "t1": "day.first", "t2": "day.second", "a": "first_name", "b": "first_name",
    "x": "deed", "y": "deed",
}  # fmt: skip
SLOTS_OF_THREE = {**SLOTS_OF_TWO, "t3": "day.third", "c": "first_name", "z": "deed"}
# What one person did, one thing after another.
IN_TURN = (
    "{a} {x}. Then {a:she|he|they} {y}.",
    "{a} {x}. After that {a:she|he|they} {y}.",
    "First {a} {x}, later {a:she|he|they} {y}.",
    "{a} {x} and then {y}.",
    "{a} {x}. Afterwards {a:she|he|they} {y}.",
)
ONE_AFTER_ANOTHER = (
    "{one}. Then {two}. Then {three}.",
    "{one}. After that {two}. Later {three}.",
    "First {one}, then {two}, and then {three}.",
    "{one}, {two} and {three}, one after another.",
    "{one}. A little later {two}. In the end {three}.",
)
INCIDENTS = {
    "one": "incident.whole", "two": "incident2.whole", "three": "incident3.whole",
}  # fmt: skip
TWICE = (
    "{a} {x} at {t1} and again at {t2}.",
    "At {t1} {a} {x}. At {t2} {a:she|he|they} did it again.",
    "{a} {x} twice, at {t1} and at {t2}.",
    "{t1}: {a} {x}. {t2}: {a} {x}.",
    "{a} {x} at {t1}, and once more at {t2}.",
)
IN_ORDER = (
    "To the {place} {a} came first, then {b}, then {c}.",
    "{a}, {b} and {c} came to the {place}, in this order.",
    "{a} was at the {place} at {t1}, {b} at {t2}, {c} at {t3}.",
    "At the {place}: {a} at {t1}. {b} at {t2}. {c} at {t3}.",
    "{a} came to the {place}. Then {b} came. Then {c} came.",
)
PEOPLE_IN_ORDER = {
    "place": "public_place", "a": "first_name", "b": "first_name", "c": "first_name",
    "t1": "day.first", "t2": "day.second", "t3": "day.third",
}  # fmt: skip


def _family(
    name: str,
    slots: dict[str, str],
    subject: tuple[str, ...],
    answer: str,
    statements: tuple[str, ...],
    questions: tuple[str, ...],
    topic: str = "",
) -> Family:
    return Family(
        name, slots, subject, answer, statements, questions, topic=topic, genre="living", weight=1.6
    )


def _when(name: str, texts: tuple[str, ...], who: str, did: str, when: str) -> Family:
    """When `who` did `did`: at `when`. All are names of slots."""
    slots = SLOTS_OF_TWO if texts is TWO else SLOTS_OF_THREE
    questions = (
        f"When did {{{who}}} {{{did}:base}}?",
        f"At what time did {{{who}}} {{{did}:base}}?",
        f"What time was it when {{{who}}} {{{did}}}?",
        f"When was it that {{{who}}} {{{did}}}?",
        f"{{{who}}} {{{did}}} at what time?",
    )
    return _family(name, slots, (who, did), when, texts, questions, topic="when_done")


def _at(name: str, texts: tuple[str, ...], who: str, did: str, when: str) -> tuple[Family, Family]:
    """Who did something `when`, and what `who` did then."""
    slots = SLOTS_OF_TWO if texts is TWO else SLOTS_OF_THREE
    asked = (
        f"Who {{{did}}} at {{{when}}}?",
        f"Who was it that {{{did}}} at {{{when}}}?",
        f"By whom was it, who {{{did}}} at {{{when}}}?",
        f"At {{{when}}} somebody {{{did}}}. Who?",
        f"Which person {{{did}}} at {{{when}}}?",
    )
    doing = (
        f"What did {{{who}}} do at {{{when}}}?",
        f"At {{{when}}}, what did {{{who}}} do?",
        f"What happened with {{{who}}} at {{{when}}}?",
        f"What was {{{who}}} doing at {{{when}}}?",
        f"{{{who}}} did what at {{{when}}}?",
    )
    return (
        _family(f"who_{name}", slots, (did, when), who, texts, asked, topic="who_then"),
        _family(f"what_{name}", slots, (who, when), did, texts, doing, topic="what_then"),
    )


def _twice(name: str, when: str, words: tuple[str, str, str]) -> Family:
    """When something was done for the last or the first time."""
    one, two, three = words
    questions = (
        f"When did {{a}} {one} {{x:base}}?",
        f"At what time did {{a}} {{x:base}} {two}?",
        f"When was {three} that {{a}} {{x}}?",
        f"What time was it when {{a}} {one} {{x}}?",
        f"When was it {two} that {{a}} {{x}}?",
    )
    slots = {"t1": "day.first", "t2": "day.second", "a": "first_name", "x": "deed"}
    return _family(name, slots, ("a", "x"), when, TWICE, questions)


FAMILIES = (
    _when("when_first_of_two", TWO, "a", "x", "t1"),
    _when("when_second_of_two", TWO, "b", "y", "t2"),
    _when("when_first_of_three", THREE, "a", "x", "t1"),
    _when("when_middle_of_three", THREE, "b", "y", "t2"),
    _when("when_last_of_three", THREE, "c", "z", "t3"),
    *_at("first_of_two", TWO, "a", "x", "t1"),
    *_at("second_of_two", TWO, "b", "y", "t2"),
    *_at("middle_of_three", THREE, "b", "y", "t2"),
    _family(
        "did_next",
        {"a": "person", "x": "deed", "y": "deed"},
        ("a", "x"),
        "y",
        IN_TURN,
        (
            "What did {a} do after {a:she|he|they} {x}?",
            "What did {a} do when {a:she|he|they} had {x}?",
            "{a} {x}, and then?",
            "After {a} {x}, what did {a:she|he|they} do?",
            "What came next after {a} {x}?",
        ),
    ),
    _family(
        "did_before",
        {"a": "person", "x": "deed", "y": "deed"},
        ("a", "y"),
        "x",
        IN_TURN,
        (
            "What did {a} do before {a:she|he|they} {y}?",
            "Before {a} {y}, what did {a:she|he|they} do?",
            "What had {a} done when {a:she|he|they} {y}?",
            "What came before {a} {y}?",
            "{a} {y}, and before that?",
        ),
    ),
    _family(
        "happened_next",
        INCIDENTS,
        ("one",),
        "two",
        ONE_AFTER_ANOTHER,
        (
            "What happened after {one}?",
            "What happened next after {one}?",
            "After {one}, what happened?",
            "What came after {one}?",
            "{one}, and what happened then?",
        ),
        topic="happened_after",
    ),
    _family(
        "happened_last",
        INCIDENTS,
        ("two",),
        "three",
        ONE_AFTER_ANOTHER,
        (
            "What happened after {two}?",
            "What happened next after {two}?",
            "After {two}, what happened?",
            "What came after {two}?",
            "{two}, and what happened then?",
        ),
        topic="happened_after",
    ),
    _family(
        "happened_before",
        INCIDENTS,
        ("two",),
        "one",
        ONE_AFTER_ANOTHER,
        (
            "What happened before {two}?",
            "What happened just before {two}?",
            "Before {two}, what happened?",
            "What came before {two}?",
            "{two}, and what had happened before?",
        ),
    ),
    _twice("last_time", "t2", ("last", "the last time", "the last time")),
    _twice("first_time", "t1", ("first", "the first time", "the first time")),
    _family(
        "left_and_back",
        {"a": "person", "t1": "day.first", "t2": "day.second"},
        ("a",),
        "t2",
        (
            "{a} left at {t1} and came back at {t2}.",
            "At {t1} {a} went out. At {t2} {a:she|he|they} returned.",
            "{a} was away from {t1} to {t2}.",
            "{t1}: {a} leaves. {t2}: {a} is back.",
            "{a} went for a walk at {t1} and was home at {t2}.",
        ),
        (
            "When did {a} come back?",
            "When was {a} back?",
            "At what time did {a} return?",
            "Until when was {a} away?",
            "When was {a} home again?",
        ),
        topic="back",
    ),
    _family(
        "came_after",
        PEOPLE_IN_ORDER,
        ("place", "a"),
        "b",
        IN_ORDER,
        (
            "Who came to the {place} after {a}?",
            "Who was at the {place} right after {a}?",
            "After {a}, who came to the {place}?",
            "Who followed {a} to the {place}?",
            "Who came next to the {place} after {a}?",
        ),
        topic="order",
    ),
    _family(
        "came_last",
        PEOPLE_IN_ORDER,
        ("place",),
        "c",
        IN_ORDER,
        (
            "Who came last to the {place}?",
            "Who was the last one at the {place}?",
            "Who came to the {place} after all others?",
            "Who was last at the {place}?",
            "The last one at the {place} was who?",
        ),
        topic="order_last",
    ),
)
