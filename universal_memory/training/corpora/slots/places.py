"""Draws rooms, furniture, buildings, cities and addresses."""

from __future__ import annotations

from universal_memory.training.corpora.family import Value, plain
from universal_memory.training.corpora.slots.things import Things

ON = ("on", "under", "next to", "behind")
INSIDE = ("in", "in", "in", "inside", "behind", "next to")


class Places(Things):
    """Rooms, furniture, buildings, cities and addresses."""

    def place(self) -> Value:
        random = self.random
        share = random.random()
        if share < 0.4:
            head = self.noun("containers")
            inside = True
        elif share < 0.65:
            head = self.noun("surfaces")
            inside = False
        elif share < 0.85:
            head = self.noun("rooms")
            inside = True
        else:
            head = self.noun("objects", "buildings", "rooms_features")
            inside = random.random() < 0.4
        if share < 0.65 and random.random() < 0.6:
            head = f"{self.modifier()} {head}"
        preposition = random.choice(INSIDE if inside else ON)
        if 0.65 <= share < 0.85:
            preposition = "in"
        text = f"{preposition} the {head}"
        answers = [head, f"the {head}", text]
        if share < 0.65 and random.random() < 0.15 and not self.vocabulary.closed:
            text = f"{text} in the {self.word('rooms')}"
            answers += [text[len(preposition) + 1 :], text[len(preposition) + 5 :], text]
        return Value(text, tuple(answers))

    def room(self) -> Value:
        name = self.noun("rooms")
        return plain(name, f"the {name}", f"in the {name}")

    def spot(self) -> Value:
        """A named spot indoors: `kitchen window`, `attic`, `blue sofa`."""
        name = self.noun("rooms_features", "surfaces", "rooms")
        if self.random.random() < 0.5:
            name = f"{self.word('colours')} {name}"
        return plain(name, f"the {name}")

    def public_place(self) -> Value:
        name = self.noun("public_places", "public_places", "buildings")
        return plain(name, f"the {name}", f"at the {name}")

    def lockable(self) -> Value:
        """A thing or room with a lock."""
        name = self.noun("rooms", "containers", "buildings", "appliances", "public_places")
        if self.random.random() < 0.5:
            name = f"{self.word('colours', 'adjectives', 'surnames')} {name}"
        return plain(name)

    def room_part(self) -> Value:
        return plain(self.random.choice(("wall", "ceiling", "door", "floor", "window frame")))

    def marker_name(self) -> Value:
        """What a marker stands for: a station, a spot or a coded place."""
        name = self.noun("rooms_features", "surfaces", "appliances", "objects")
        if self.random.random() < 0.4:
            name = f"{name} {self.number(1, 99)}"
        return plain(name, f"the {name}")

    def city(self) -> Value:
        name = self.word("cities")
        return plain(name, f"in {name}", f"to {name}", f"from {name}")

    def country(self) -> Value:
        name = self.word("countries")
        return plain(name, f"in {name}", f"to {name}", f"from {name}")

    def street(self) -> Value:
        kind = self.random.choice(("Street", "Road", "Lane", "Avenue"))
        name = self.word("surnames", "words", "flora").capitalize()
        text = f"{self.number(1, 199)} {name.split(' ')[0]} {kind}"
        return plain(text, f"at {text}")
