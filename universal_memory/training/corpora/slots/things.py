"""Draws objects, clothes, appliances, food, animals and what describes them."""

from __future__ import annotations

from universal_memory.training.corpora.family import Value, plain
from universal_memory.training.corpora.slots.drawing import Drawing

SINGULAR_ENDINGS = ("ss", "us", "is", "as", "lens")
SINGULARS = frozenset(("tennis", "glass", "gas", "bus", "lens", "chess", "cactus", "iris"))
PLURALS = frozenset(("cutlery",))


def is_plural(noun: str) -> bool:
    """Whether a noun of the lists takes `are`."""
    last = noun.rsplit(" ", 1)[-1]
    if last in SINGULARS:
        return False
    return last in PLURALS or (last.endswith("s") and not last.endswith(SINGULAR_ENDINGS))


class Things(Drawing):
    """Objects, clothes, appliances, food, animals and what describes them."""

    def thing_name(self) -> str:
        share = self.random.random()
        if share < 0.6:
            return self.noun("household_objects")
        if share < 0.9:
            return self.noun("objects")
        return self.noun("clothes", "tools", "instruments", "foods", "animals", "flora")

    def object(self) -> Value:
        name = self.thing_name()
        if not self.vocabulary.closed and self.random.random() < 0.35:
            name = f"{self.modifier()} {name}"
        return plain(name, f"the {name}", plural=is_plural(name))

    def bare_object(self) -> Value:
        """A thing without adjective, so that its colour or material can be the answer."""
        name = self.noun("household_objects", "household_objects", "objects", "clothes")
        return plain(name, plural=is_plural(name))

    def household_object(self) -> Value:
        return plain(self.word("household_objects"))

    def thing(self) -> Value:
        value = self.object()
        while value.plural:
            value = self.object()
        name = value.text
        article = "an" if name[0] in "aeiou" else "a"
        return plain(name, f"{article} {name}", f"the {name}")

    def two_things(self) -> Value:
        first, second = self.thing_name(), self.thing_name()
        while second == first:
            second = self.thing_name()
        return plain(f"{first}, {second}", f"{first} and {second}", f"{second} and {first}")

    def modifier(self) -> str:
        if self.random.random() < 0.65:
            return self.word("colours")
        return self.word("materials") if self.random.random() < 0.5 else self.word("adjectives")

    def clothing(self) -> Value:
        name = f"{self.word('colours')} {self.word('clothes')}"
        return plain(name, f"the {name}", plural=is_plural(name))

    def appliance(self) -> Value:
        name = self.word("appliances")
        if self.random.random() < 0.3:
            name = f"{self.word('rooms')} {name}"
        return plain(name, f"the {name}", plural=is_plural(name))

    def vehicle(self) -> Value:
        name = self.word("vehicles")
        if self.random.random() < 0.6:
            name = f"{self.word('colours')} {name}"
        return plain(name, f"the {name}")

    def instrument(self) -> Value:
        name = self.noun("instruments")
        return plain(name, f"the {name}")

    def food(self) -> Value:
        name = self.noun("foods") if self.random.random() < 0.6 else self.noun("foods_more")
        return plain(name, plural=is_plural(name))

    def drink(self) -> Value:
        return plain(self.word("drinks") if self.random.random() < 0.8 else self.word("beverages"))

    def pet(self) -> Value:
        return plain(self.word("pets") if self.random.random() < 0.7 else self.word("animals"))

    def animal(self) -> Value:
        return plain(self.noun("animals", "pets"))

    def plant(self) -> Value:
        name = self.word("plants") if self.random.random() < 0.6 else self.word("flora")
        return plain(name, f"the {name}")

    def colour(self) -> Value:
        name = self.word("colours")
        if self.random.random() < 0.25:
            name = f"{name} and {self.word('colours')}"
        return plain(name)

    def material(self) -> Value:
        return plain(self.noun("materials", "fabrics"))

    def adjective(self) -> Value:
        return plain(self.word("adjectives"))

    def timed(self) -> Value:
        """What a timer is named after."""
        return plain(self.noun("foods", "appliances", "activities", "household_objects", "drinks"))

    def allergen(self) -> Value:
        return plain(self.noun("foods", "foods", "foods_more", "flora", "medicines"))

    def medicine(self) -> Value:
        if self.random.random() < 0.3 and not self.vocabulary.closed:
            return plain(self.invented())
        return plain(self.word("medicines"))

    def container_name(self) -> Value:
        return plain(self.noun("containers"))
