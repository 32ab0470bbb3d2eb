"""Draws names, titles, roles and relatives."""

from __future__ import annotations

from universal_memory.training.corpora.family import Value, plain
from universal_memory.training.corpora.slots.drawing import Drawing


class People(Drawing):
    """Names, titles, roles and relatives."""

    def first_name(self) -> Value:
        gender = self.random.randrange(2)
        name = self.word(("first_names_female", "first_names_male")[gender])
        return Value(name, (name,), gender=gender)

    def woman(self) -> Value:
        name = self.word("first_names_female")
        return Value(name, (name,), gender=0)

    def man(self) -> Value:
        name = self.word("first_names_male")
        return Value(name, (name,), gender=1)

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

    def surname(self) -> Value:
        return self.titled() if self.random.random() < 0.4 else self.full_name()

    def role(self) -> Value:
        name = self.word("roles") if self.random.random() < 0.75 else self.word("occupations")
        return plain(name, f"the {name}")

    def kin(self) -> Value:
        return plain(self.word("kin"))
