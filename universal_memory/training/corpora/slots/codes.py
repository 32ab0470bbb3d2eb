"""Draws codes, passwords, numbers, measures and made-up names."""

from __future__ import annotations

from universal_memory.training.corpora.family import Value, plain
from universal_memory.training.corpora.slots.people import People


class Codes(People):
    """Codes, passwords, numbers, measures and made-up names."""

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

    def dose(self) -> Value:
        unit = self.random.choice(("milligrams", "drops", "millilitres", "grams"))
        return plain(f"{self.number(2, 900)} {unit}")

    def password(self) -> Value:
        a, b = self.word("words"), self.word("words", "animals", "colours").split(" ")[0]
        number = self.number(10, 99)
        return plain(self.random.choice((f"{a}{number}", f"{a}-{b}", f"{a}-{b}-{number}")))

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

    def team(self) -> Value:
        first = self.word("colours", "cities", "adjectives").split(" ")[0].capitalize()
        second = self.word("animals", "words").split(" ")[0].capitalize()
        return plain(f"{first} {second}s", f"the {first} {second}s")

    def line(self) -> Value:
        kind = self.random.choice(("train", "bus", "ferry", "tram", "coach", "flight"))
        if self.random.random() < 0.5:
            return plain(kind)
        return plain(f"{kind} {self.number(2, 999)}")

    def pet_name(self) -> Value:
        if self.random.random() < 0.5:
            return plain(self.first_name().text)
        return plain(self.word("words", "foods", "colours").split(" ")[0].capitalize())
