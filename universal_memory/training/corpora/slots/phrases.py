"""Draws tasks, events, faults, ways of serving and other short phrases."""

from __future__ import annotations

from universal_memory.training.corpora.family import Value, plain
from universal_memory.training.corpora.slots.drawing import Drawing

TASK_VERBS = (
    "clean", "repair", "move", "buy", "fetch", "check", "sell", "wash", "pack", "count", "paint",
    "bring back", "collect", "return", "replace", "wrap", "weigh", "photograph", "cover", "label",
)  # fmt: skip
TASK_GERUNDS = (
    "cleaning", "repairing", "moving", "packing", "counting", "washing", "looking for", "drawing",
    "checking", "sorting", "carrying", "fetching", "wrapping", "labelling", "preparing",
)  # fmt: skip
EVENT_KINDS = (
    "lesson", "class", "exam", "meeting", "course", "practice", "interview", "party", "conference",
    "talk", "visit", "show",
)  # fmt: skip
VITALS = (
    "temperature", "pulse", "weight", "blood sugar", "blood pressure", "oxygen level", "waist size",
)  # fmt: skip
QUANTITIES = (
    "temperature", "humidity", "pressure", "distance", "voltage", "brightness", "noise", "power",
)  # fmt: skip
WEATHER = (
    "sunny", "rainy", "cloudy", "windy", "foggy", "snowy", "stormy", "frosty", "humid", "icy",
    "misty", "hazy", "mild", "hot", "cold", "dry", "wet", "overcast", "breezy", "muggy",
)  # fmt: skip


class Phrases(Drawing):
    """Tasks, events, faults, ways of serving and other short phrases."""

    def style(self) -> Value:
        share = self.random.random()
        if share < 0.7:
            return plain(self.word("drink_styles"))
        if share < 0.85:
            return plain(f"with {self.word('foods', 'adjectives')}")
        return plain(self.word("food_styles"))

    def cooked(self) -> Value:
        return plain(self.word("food_styles"))

    def activity(self) -> Value:
        return plain(self.noun("activities", "activities", "sports"))

    def doing(self) -> Value:
        if self.random.random() < 0.4:
            return plain(self.word("verbs_activities"))
        thing = self.noun("household_objects", "objects", "appliances", "foods")
        return plain(f"{self.random.choice(TASK_GERUNDS)} the {thing}")

    def task(self) -> Value:
        if self.random.random() < 0.35 and not self.vocabulary.held_out:
            text = self.word("tasks")
        else:
            lists = ("household_objects", "objects", "appliances", "foods", "plants", "clothes")
            text = f"{self.random.choice(TASK_VERBS)} the {self.noun(*lists)}"
        return plain(text, f"to {text}")

    def event(self) -> Value:
        if self.random.random() < 0.5:
            return plain(self.word("appointments"))
        first = self.noun("activities", "instruments", "subjects", "occupations", "roles")
        return plain(f"{first} {self.random.choice(EVENT_KINDS)}")

    def bookable(self) -> Value:
        if self.random.random() < 0.6:
            return self.event()
        return plain(f"trip to {self.word('cities')}")

    def problem(self) -> Value:
        return plain(self.word("problems"))

    def error(self) -> Value:
        if self.random.random() < 0.5 and not self.vocabulary.held_out:
            return plain(self.word("errors"))
        return plain(f"{self.noun('appliances', 'objects')} {self.word('problems')}")

    def subject(self) -> Value:
        return plain(self.word("subjects"))

    def symptom(self) -> Value:
        return plain(self.word("symptoms"))

    def vital(self) -> Value:
        return plain(self.random.choice(VITALS))

    def quantity(self) -> Value:
        return plain(self.random.choice(QUANTITIES))

    def weather(self) -> Value:
        return plain(self.random.choice(WEATHER))

    def menu_part(self) -> Value:
        return plain(self.random.choice(("soup", "starter", "dessert", "main dish", "special")))
