"""Which facts a later one puts an end to, and which hold together.

A lamp has one colour at a time, so another colour said later is what counts; but an animal seen
does not unsee the one before. Chosen by hand: the wordings of a family do not tell.
"""

from __future__ import annotations

import re
from functools import cache

from universal_memory.training.corpora.families import FAMILIES

# Several answers are true at once, or each of them of another time.
TOGETHER = frozenset((
    "allergy", "animal_chased", "animal_seen", "article_about", "camera_caption", "chore",
    "complaint", "cooked_by", "decided", "disliked_food", "eaten_by", "goal_scorer", "ingredient",
    "left_after_sport", "marker_near", "message_for", "message_left", "part_needed",
    "reminder_task", "robot_collision", "robot_learned", "said_dream", "said_met", "said_news",
    "said_recommend", "said_request", "seen_things", "shopping", "sign_ingredients", "spilled_on",
    "stung_by", "tool_add_to_list", "tool_message", "tool_music", "tool_text", "verb_what",
    "verb_whom", "verb_with", "who_asked_for", "who_said_fault", "wish",
))  # fmt: skip

# Whether they do depends on the case: no training and no benchmark asks for it.
UNCLEAR = frozenset((
    "bought_at", "broke_down", "camera_person_holds", "content_of_container", "exam_mark",
    "fault", "film_actor", "guest_of", "hit_by_vehicle", "hobby", "instrument_played",
    "loaded_with", "medicine_taken", "nest_in", "object_state", "order_amount", "parcel_content",
    "pet_name", "planted_by", "plays_with", "relative_name", "run_distance", "said_bet",
    "said_late", "said_noise", "saves_for", "sign_notice", "sport_injury", "tastes_of",
    "tool_failure", "tool_grasp_failure", "tool_order", "tool_order_quantity", "translated_word",
    "used_for", "verb_where", "verb_who",
))  # fmt: skip

# Of the other genres, those that update; prose and what is said do not.
LONG_UPDATING = frozenset(("instruction", "sign_rule", "tool_note"))

# Families that say the same of the same subject, slot by slot: one updates the other.
SAME_THING = (
    ("object_place", "object_moved", "tool_place_object", "seen_where", "found"),
    ("person_whereabouts", "tool_camera_track"),
    ("phone_number", "tool_contact"),
    ("locker_number", "sign_person_place"),
    ("price", "sign_price"),
    ("wake_up", "tool_alarm"),
    ("opening_hours", "sign_hours"),
    ("appointment", "tool_calendar"),
    ("role_holder", "introduction"),
    ("relation_thing", "relation_word", "said_relation"),
)
_THING = {name: names[0] for names in SAME_THING for name in names}
_OPENINGS = frozenset((
    "A", "An", "As", "At", "For", "From", "Give", "If", "In", "It", "On", "One", "Please",
    "Since", "Somebody", "That", "The", "There", "This", "To", "We", "What", "With", "You",
))  # fmt: skip
_SMALL = frozenset("a an the of in on at by to for with from".split())


@cache
def updates(family: str) -> bool:
    """Whether a later fact of the family about the same subject replaces the one before."""
    genre = FAMILIES[family].genre
    unfit = family in TOGETHER or family in UNCLEAR or not FAMILIES[family].subject
    return not unfit and (genre == "short" or family in LONG_UPDATING)


def thing_of(family: str) -> str:
    """The same name for families that say the same of a subject."""
    return _THING.get(family, family)


def kin_of(family: str) -> tuple[str, ...]:
    """The families that say the same as `family`, which is one of them."""
    return next((names for names in SAME_THING if family in names), (family,))


def differ(one: str, other: str) -> bool:
    """Whether two answers exclude each other: neither only says more than the other."""
    left, right = _said(one), _said(other)
    return not (left <= right or right <= left)


def _said(answer: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", answer.lower())) - _SMALL


def now(statement: str) -> str:
    """A statement that says itself that things have changed; others than prose stay as they are."""
    first, _, rest = statement.partition(" ")
    if first.rstrip(":") in ("Tool", "Sign", "Marker", "Camera") or " said: " in statement:
        return statement
    return f"Now {first.lower() if first in _OPENINGS else first} {rest}"
