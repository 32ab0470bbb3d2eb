"""The families of facts, one module per theme; each module lists its own in `FAMILIES`."""

from __future__ import annotations

from universal_memory.training.corpora.families import (
    codes,
    happenings,
    health,
    household,
    kitchen,
    living,
    media,
    messages,
    money,
    nature,
    orders,
    people,
    places,
    preferences,
    pronouns,
    prose,
    relations,
    requests,
    robot,
    schedules,
    school,
    signs,
    speakers,
    speech,
    sport,
    states,
    tools,
    trade,
    vehicles,
    work,
)
from universal_memory.training.corpora.family import Family
from universal_memory.training.corpora.vocabulary import UNSEEN_FAMILIES

MODULES = (
    places, people, preferences, household, schedules, codes, health, living, states, work, trade,
    speech, signs, tools, prose, messages, relations, robot, kitchen, sport, school,
    vehicles, nature, money, media, speakers, pronouns, happenings, requests, orders,
)  # fmt: skip

FAMILIES: dict[str, Family] = {
    family.name: family for module in MODULES for family in module.FAMILIES
}

# Whole kinds of statements and questions that no training ever draws: recall of them (the split
# `unseen_families`) tells whether reading and asking were learned, or only the others. None of
# them shares its topic, or merely rephrases a family that remains; `ump demo` uses none of them.
HELD_OUT_FAMILIES = frozenset((
    # prose
    "birthday", "travel_destination", "gift_from", "debt", "supplier", "object_material",
    "battery", "plant_water",
    # transcript
    "who_said_fault", "decided",
    # camera
    "sign_departure", "sign_person_room", "marker_id",
    # tool
    "tool_weight", "tool_reservation", "tool_order",
    # living
    "your_appointment", "lent_my", "pronoun_bought", "pronoun_owner", "pronoun_symptom",
    "came_after", "left_and_back", "wish_present", "wish_seat", "wish_trip", "wish_light",
))  # fmt: skip


def family_names() -> tuple[str, ...]:
    """Names of all families, in a fixed order."""
    return tuple(FAMILIES)


def families_of(split: str, vocabulary: str = "open") -> tuple[str, ...]:
    """Names of the families that a split draws from where none are named.

    Held-out families only in their own split. Prose, long answers and what is living only in open
    training: the other splits measure short answers, and recipes of `evaluation.py` the rest.
    """
    unseen = split == UNSEEN_FAMILIES
    wide = split == "train" and vocabulary == "open"
    return tuple(
        name
        for name, family in FAMILIES.items()
        if (name in HELD_OUT_FAMILIES) == unseen and (wide or family.genre == "short")
    )
