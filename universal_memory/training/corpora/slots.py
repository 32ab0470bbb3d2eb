"""Draws what fills the slots of a family: names, things, places, times, numbers and codes."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from universal_memory.training.corpora.family import Value, plain
from universal_memory.training.corpora.vocabulary import Vocabulary, content_words

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
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
ON = ("on", "under", "next to", "behind")
INSIDE = ("in", "in", "in", "inside", "behind", "next to")
WILD_SHARE = 0.5
SINGULAR_ENDINGS = ("ss", "us", "is", "as", "lens")
SINGULARS = frozenset(("tennis", "glass", "gas", "bus", "lens", "chess", "cactus", "iris"))
PLURALS = frozenset(("cutlery",))


def is_plural(noun: str) -> bool:
    """Whether a noun of the lists takes `are`."""
    last = noun.rsplit(" ", 1)[-1]
    if last in SINGULARS:
        return False
    return last in PLURALS or (last.endswith("s") and not last.endswith(SINGULAR_ENDINGS))


class SlotSampler:
    """Draws values of every kind from one vocabulary.

    Args:
        vocabulary: the pools of the split.
        random: source of all chance.

    Attributes:
        wild: while set, half of the free slots take any common word instead of a fitting one.
    """

    def __init__(self, vocabulary: Vocabulary, random: Random) -> None:
        self.vocabulary = vocabulary
        self.random = random
        self.wild = False

    def draw(self, kind: str) -> Value:
        """One value of a kind; raises KeyError for a kind that does not exist."""
        return KINDS[kind](self)

    # Helpers

    def word(self, *lists: str) -> str:
        """One entry of one of the lists (equal shares)."""
        name = lists[0] if len(lists) == 1 else self.random.choice(lists)
        return self.vocabulary.draw(self.random, name)

    def noun(self, *lists: str) -> str:
        """Like `word`, but any common word half of the time in a wild episode."""
        if self.wild and self.random.random() < WILD_SHARE:
            return self.vocabulary.draw(self.random, "words")
        return self.word(*lists)

    def hashed(self, make: Callable[[], str]) -> str:
        """A number or code of this split: drawn until its hash fits."""
        for _ in range(400):
            text = make()
            if self.vocabulary.admits(text):
                return text
        raise ValueError(f"no value like {text!r} in this split: the range is too small")

    def number(self, low: int, high: int, step: int = 1) -> str:
        """A whole number of this split."""
        return self.hashed(lambda: str(self.random.randrange(low, high + 1, step)))

    def invented(self) -> str:
        """A made-up name such as `Velora`."""
        choice = self.random.choice

        def make() -> str:
            syllables = self.random.choice((2, 2, 3))
            return "".join(choice("bdfgklmnprstvz") + choice("aeiou") for _ in range(syllables)) + (
                choice(("", "n", "x", "m", "l", "r", "nd", "tec"))
            )

        return self.hashed(make).capitalize()

    # People

    def first_name(self) -> Value:
        gender = self.random.randrange(2)
        name = self.word(("first_names_female", "first_names_male")[gender])
        return Value(name, (name,), gender=gender)

    def full_name(self) -> Value:
        first = self.first_name()
        text = f"{first.text} {self.word('surnames')}"
        return Value(text, (text,), gender=first.gender)

    def titled(self) -> Value:
        title = self.random.choice(("Mrs.", "Mr.", "Ms.", "Dr.", "Mrs.", "Mr."))
        surname = self.word("surnames")
        gender = {"Mrs.": 0, "Ms.": 0, "Mr.": 1}.get(title, 2)
        text = f"{title} {surname}"
        return Value(text, (text, surname), gender=gender)

    def person(self) -> Value:
        share = self.random.random()
        if share < 0.7 or self.vocabulary.closed:
            return self.first_name()
        if share < 0.84:
            return self.full_name()
        return self.titled()

    def role(self) -> Value:
        name = self.word("roles") if self.random.random() < 0.75 else self.word("occupations")
        return plain(name, f"the {name}")

    # Things

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

    def thing(self) -> Value:
        value = self.object()
        while value.plural:
            value = self.object()
        name = value.text
        article = "an" if name[0] in "aeiou" else "a"
        return plain(name, f"{article} {name}", f"the {name}")

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

    # Places

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

    def city(self) -> Value:
        name = self.word("cities")
        return plain(name, f"in {name}", f"to {name}", f"from {name}")

    def street(self) -> Value:
        kind = self.random.choice(("Street", "Road", "Lane", "Avenue"))
        name = self.word("surnames", "words", "flora").capitalize()
        text = f"{self.number(1, 199)} {name.split(' ')[0]} {kind}"
        return plain(text, f"at {text}")

    # Times

    def clock(self, first: int = 6, last: int = 22) -> str:
        """A time of day between two full hours: `14:20`, `2:20 pm`, `9 am`."""
        random = self.random

        def make() -> str:
            hour, minute = random.randrange(first, last + 1), random.randrange(0, 60, 5)
            shape = random.random()
            if shape < 0.6:
                return f"{hour}:{minute:02d}"
            half = "am" if hour < 12 else "pm"
            hour = (hour - 1) % 12 + 1
            return f"{hour}:{minute:02d} {half}" if minute else f"{hour} {half}"

        return self.hashed(make)

    def time(self) -> Value:
        text = self.clock()
        return plain(text, f"at {text}")

    def day_time(self) -> Value:
        day = self.random.choice(WEEKDAYS)
        clock = self.clock()
        text = f"{day} at {clock}"
        return plain(text, f"on {text}", f"{day} {clock}")

    def date(self) -> Value:
        random = self.random
        month = random.choice(MONTHS)

        def make() -> str:
            day = random.randrange(1, 29)
            return f"{month} {day}" if random.random() < 0.6 else f"{day} {month}"

        text = self.hashed(make)
        first, second = text.split(" ")
        return plain(text, f"on {text}", f"{second} {first}")

    def hours(self) -> Value:
        opening, closing = self.clock(6, 12), self.clock(13, 23)
        return plain(f"{opening} to {closing}", f"from {opening} to {closing}")

    def minutes(self) -> Value:
        return plain(self.number(2, 120))

    def duration(self) -> Value:
        unit = self.random.choice(("minutes", "minutes", "hours", "days", "weeks"))
        count = self.number(2, {"minutes": 90, "hours": 48, "days": 30, "weeks": 20}[unit])
        return plain(f"{count} {unit}", f"for {count} {unit}", count)

    # Numbers and codes

    def pin(self) -> Value:
        digits = self.random.choice((3, 4, 4, 4, 5, 6))
        return plain(self.number(10 ** (digits - 1), 10**digits - 1))

    def code(self) -> Value:
        random = self.random

        def make() -> str:
            letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
            a, b = random.choice(letters), random.choice(letters)
            n = random.randrange
            return random.choice(
                (
                    f"{n(1000, 9999)}",
                    f"{a}{n(10)}{b}{n(10)}",
                    f"{a}-{n(100, 999)}",
                    f"{n(1, 99)}{a}",
                    f"{a}{b}{n(10, 99)}",
                    f"{a}{b}-{n(10, 99)}",
                    f"{n(10, 99)}-{n(10, 99)}",
                    f"{a}{n(10, 999)}",
                )
            )

        return plain(self.hashed(make))

    def plate(self) -> Value:
        letters = "ABCDEFGHJKLMNPRSTUVWXYZ"
        pick = self.random.choice
        text = self.hashed(
            lambda: (
                f"{pick(letters)}{pick(letters)}{self.random.randrange(10, 99)} "
                f"{pick(letters)}{pick(letters)}{pick(letters)}"
            )
        )
        return plain(text)

    def phone(self) -> Value:
        n = self.random.randrange
        return plain(self.hashed(lambda: f"{n(100, 999)}-{n(1000, 9999)}"))

    def room_number(self) -> Value:
        random = self.random

        def make() -> str:
            number = random.randrange(1, 450)
            letter = random.choice("ABCDEFGH")
            return random.choice(
                (f"{number}", f"{number}", f"{letter}{number}", f"{number}{letter}")
            )

        number = self.hashed(make)
        return plain(number, f"room {number}", f"in room {number}")

    def price(self) -> Value:
        random = self.random

        def make() -> str:
            amount = random.choice((random.randrange(1, 20), random.randrange(5, 300)))
            return f"{amount}.{random.choice((0, 50, 20, 80, 90, 95, 99, 25, 75)):02d}"

        amount = self.hashed(make)
        currency = random.choice(("euros", "dollars", "pounds", "francs"))
        return plain(f"{amount} {currency}", amount)

    def amount(self) -> Value:
        return plain(self.number(2, 250))

    def temperature(self) -> Value:
        value = self.number(-15, 260)
        return plain(f"{value} degrees", value)

    def reading(self) -> Value:
        whole = self.random.randrange
        text = self.hashed(lambda: f"{whole(1, 400)}.{whole(1, 10)}")
        return plain(text)

    def percent(self) -> Value:
        value = self.number(3, 98)
        return plain(f"{value} percent", f"{value}%", value)

    def password(self) -> Value:
        a, b = self.word("words"), self.word("words", "animals", "colours").split(" ")[0]
        number = self.number(10, 99)
        return plain(self.random.choice((f"{a}{number}", f"{a}-{b}", f"{a}-{b}-{number}")))

    # Words

    def code_word(self) -> Value:
        word = self.word("words", "words", "animals", "objects", "flora").split(" ")[0]
        return plain(word)

    def project(self) -> Value:
        if self.random.random() < 0.4 and not self.vocabulary.closed:
            return plain(self.invented())
        return plain(self.word("words", "animals", "flora").split(" ")[0].capitalize())

    def company(self) -> Value:
        share = self.random.random()
        if share < 0.45 and not self.vocabulary.closed:
            return plain(self.invented())
        if share < 0.75 or self.vocabulary.closed:
            return plain(f"{self.word('surnames')} and {self.word('surnames')}")
        first = self.word("adjectives", "colours", "words").split(" ")[0].capitalize()
        return plain(f"{first} {self.word('words', 'animals').split(' ')[0].capitalize()}")

    def title(self) -> Value:
        a = self.word("adjectives", "colours").split(" ")[0].capitalize()
        b = self.word("words", "animals", "objects", "flora").split(" ")[0].capitalize()
        return plain(f"The {a} {b}", f"{a} {b}")

    def food(self) -> Value:
        name = self.noun("foods") if self.random.random() < 0.6 else self.noun("foods_more")
        return plain(name, plural=is_plural(name))

    def drink(self) -> Value:
        return plain(self.word("drinks") if self.random.random() < 0.8 else self.word("beverages"))

    def style(self) -> Value:
        share = self.random.random()
        if share < 0.7:
            return plain(self.word("drink_styles"))
        if share < 0.85:
            return plain(f"with {self.word('foods', 'adjectives')}")
        return plain(self.word("food_styles"))

    def cooked(self) -> Value:
        return plain(self.word("food_styles"))

    def colour(self) -> Value:
        name = self.word("colours")
        if self.random.random() < 0.25:
            name = f"{name} and {self.word('colours')}"
        return plain(name)

    def material(self) -> Value:
        return plain(self.noun("materials", "fabrics"))

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

    def medicine(self) -> Value:
        if self.random.random() < 0.3 and not self.vocabulary.closed:
            return plain(self.invented())
        return plain(self.word("medicines"))

    def pet(self) -> Value:
        return plain(self.word("pets") if self.random.random() < 0.7 else self.word("animals"))

    def pet_name(self) -> Value:
        if self.random.random() < 0.5:
            return plain(self.first_name().text)
        return plain(self.word("words", "foods", "colours").split(" ")[0].capitalize())

    def plant(self) -> Value:
        name = self.word("plants") if self.random.random() < 0.6 else self.word("flora")
        return plain(name, f"the {name}")

    def animal(self) -> Value:
        return plain(self.noun("animals", "pets"))

    def adjective(self) -> Value:
        return plain(self.word("adjectives"))

    def country(self) -> Value:
        name = self.word("countries")
        return plain(name, f"in {name}", f"to {name}", f"from {name}")

    def instrument(self) -> Value:
        name = self.noun("instruments")
        return plain(name, f"the {name}")

    def vehicle(self) -> Value:
        name = self.word("vehicles")
        if self.random.random() < 0.6:
            name = f"{self.word('colours')} {name}"
        return plain(name, f"the {name}")

    def kin(self) -> Value:
        return plain(self.word("kin"))

    # Kinds used by few families

    def household_object(self) -> Value:
        return plain(self.word("household_objects"))

    def two_things(self) -> Value:
        first, second = self.thing_name(), self.thing_name()
        while second == first:
            second = self.thing_name()
        return plain(f"{first}, {second}", f"{first} and {second}", f"{second} and {first}")

    def marker_name(self) -> Value:
        """What a marker stands for: a station, a spot or a coded place."""
        name = self.noun("rooms_features", "surfaces", "appliances", "objects")
        if self.random.random() < 0.4:
            name = f"{name} {self.number(1, 99)}"
        return plain(name, f"the {name}")

    def bare_object(self) -> Value:
        """A thing without adjective, so that its colour or material can be the answer."""
        name = self.noun("household_objects", "household_objects", "objects", "clothes")
        return plain(name, plural=is_plural(name))

    def container_name(self) -> Value:
        return plain(self.noun("containers"))

    def lockable(self) -> Value:
        """A thing or room with a lock."""
        name = self.noun("rooms", "containers", "buildings", "appliances", "public_places")
        if self.random.random() < 0.5:
            name = f"{self.word('colours', 'adjectives', 'surnames')} {name}"
        return plain(name)

    def bookable(self) -> Value:
        if self.random.random() < 0.6:
            return self.event()
        return plain(f"trip to {self.word('cities')}")

    def allergen(self) -> Value:
        return plain(self.noun("foods", "foods", "foods_more", "flora", "medicines"))

    def dose(self) -> Value:
        unit = self.random.choice(("milligrams", "drops", "millilitres", "grams"))
        return plain(f"{self.number(2, 900)} {unit}")

    def vital(self) -> Value:
        return plain(self.random.choice(VITALS))

    def quantity(self) -> Value:
        return plain(self.random.choice(QUANTITIES))

    def day_name(self) -> Value:
        return Value(self.random.choice(WEEKDAYS), ("",))

    def meal(self) -> Value:
        return plain(self.random.choice(("breakfast", "lunch", "dinner", "supper", "brunch")))

    def menu_part(self) -> Value:
        return plain(self.random.choice(("soup", "starter", "dessert", "main dish", "special")))

    def room_part(self) -> Value:
        return plain(self.random.choice(("wall", "ceiling", "door", "floor", "window frame")))

    def weather(self) -> Value:
        return plain(self.random.choice(WEATHER))

    def line(self) -> Value:
        kind = self.random.choice(("train", "bus", "ferry", "tram", "coach", "flight"))
        if self.random.random() < 0.5:
            return plain(kind)
        return plain(f"{kind} {self.number(2, 999)}")

    def team(self) -> Value:
        first = self.word("colours", "cities", "adjectives").split(" ")[0].capitalize()
        second = self.word("animals", "words").split(" ")[0].capitalize()
        return plain(f"{first} {second}s", f"the {first} {second}s")

    def surname(self) -> Value:
        return self.titled() if self.random.random() < 0.4 else self.full_name()

    def timed(self) -> Value:
        """What a timer is named after."""
        return plain(self.noun("foods", "appliances", "activities", "household_objects", "drinks"))


# Words that all splits share because they belong to the sentence, not to the world.
SHARED_WORDS = content_words(
    " ".join((*TASK_VERBS, *TASK_GERUNDS, *EVENT_KINDS, *VITALS, *QUANTITIES, *WEATHER, *NUMBERS))
    + " breakfast lunch dinner supper brunch soup starter dessert main dish special wall ceiling "
    "door floor window frame train bus ferry tram coach flight trip box room degrees percent "
    "minutes hours days weeks euros dollars pounds francs milligrams drops millilitres grams"
)

KINDS: dict[str, Callable[[SlotSampler], Value]] = {
    name: method
    for name, method in vars(SlotSampler).items()
    if callable(method)
    and not name.startswith("_")
    and getattr(method, "__annotations__", {}).get("return") == "Value"
}
