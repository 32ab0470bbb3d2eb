"""Labels: does the nearest labelled probe say what kind of thing a memory is about?

Of generated one-fact texts whose families belong to one label. Beside the likeness of slots, which
`ump memory inspect` shows, the same with the cosine of passports.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from universal_memory.routing.passport import PassportEncoder
from universal_memory.space.probes import PROBES, Probes
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.corpora.families import families_of

FAMILIES_OF = {
    "where something is": "object_place object_put_by owned_object_place object_room object_moved"
    " found plant_place",
    "where somebody is or lives": "person_whereabouts home_city origin address",
    "what somebody likes": "favourite_food disliked_food favourite_colour favourite_place"
    " favourite_book favourite_drink drink_style food_style",
    "a time or a date": "appointment event_time birthday wake_up arrival departure deadline"
    " collection_day",
    "a code or a number": "door_code wifi_password phone_number locker_number serial_number"
    " licence_plate booking_reference",
    "health": "allergy medicine_taken complaint dose doctor",
    "a fault": "fault object_state who_said_fault",
    "a reading of a tool": "tool_sensor tool_weight tool_field_number",
    "a tool that failed": "tool_failure tool_grasp_failure",
    "a sign or a label in view": "sign_room sign_person_room sign_hours box_label label_place"
    " sign_notice",
    "things in view": "marker_near seen_where seen_things",
    "work": "occupation employer role_holder project_leader",
    "family and pets": "relative_name pet_name pet_kind",
    "something to do": "chore reminder_task message_for tool_message",
    "a price": "price debt",
}


def labels(
    space: SemanticSpace,
    passports: PassportEncoder,
    episodes: int,
    split: str = "held_out",
    seed: int = 20261122,
) -> list[dict[str, Any]]:
    """A row a label and one of all: share labelled right by slots, by passports and by chance.

    `episodes`: texts of every label. Families that the split does not draw are left out.
    """
    probes = Probes(space)
    names = list(PROBES)
    probe_labels = [names.index(label) for label, texts in PROBES.items() for _ in texts]
    probe_passports = passports.passports(
        np.concatenate([space.encode([text]) for texts in PROBES.values() for text in texts])
    )
    rows: list[dict[str, Any]] = []
    for label in names:
        usv = _encoded(space, label, episodes, split, seed)
        by_slots = [probes.nearest(one, 1)[0].label == label for one in usv]
        nearest = (passports.passports(usv) @ probe_passports.T).argmax(1)
        by_passports = [names[probe_labels[row]] == label for row in nearest]
        rows.append(
            {
                "label": label,
                "episodes": len(usv),
                "by_slots": float(np.mean(by_slots)),
                "by_passports": float(np.mean(by_passports)),
                "by_chance": 1 / len(names),
            }
        )
    counts = [row["episodes"] for row in rows]
    whole = {
        name: float(np.average([row[name] for row in rows], weights=counts))
        for name in ("by_slots", "by_passports", "by_chance")
    }
    return [*rows, {"label": "all", "episodes": sum(counts), **whole}]


def _encoded(
    space: SemanticSpace, label: str, episodes: int, split: str, seed: int
) -> NDArray[np.float32]:
    """USVs of texts of the families of a label, as many of each as of the others."""
    drawn = set(families_of(split))
    families = [name for name in FAMILIES_OF[label].split() if name in drawn]
    sources = [EpisodeGenerator(seed, split, families=[name]) for name in families]
    texts = [sources[number % len(sources)].episode(1).text for number in range(episodes)]
    return space.encode(texts)
