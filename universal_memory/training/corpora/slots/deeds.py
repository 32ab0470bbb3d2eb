"""Draws what people did, and when one thing was done after another."""

from __future__ import annotations

from universal_memory.training.corpora.family import Value, plain
from universal_memory.training.corpora.slots.drawing import Drawing
from universal_memory.training.corpora.vocabulary import content_words

# What is done, and how it is told afterwards.
DEEDS = {
    "clean": "cleaned", "repair": "repaired", "move": "moved", "wash": "washed", "open": "opened",
    "close": "closed", "paint": "painted", "collect": "collected", "wrap": "wrapped",
    "check": "checked", "cover": "covered", "count": "counted", "pack": "packed",
    "fetch": "fetched", "drop": "dropped", "polish": "polished", "borrow": "borrowed",
    "buy": "bought", "sell": "sold", "find": "found", "bring": "brought", "break": "broke",
    "take": "took", "hide": "hid", "carry": "carried", "return": "returned", "sort": "sorted",
    "label": "labelled", "fill": "filled", "lift": "lifted", "dry": "dried", "tidy": "tidied",
}  # fmt: skip
SHORT_DEEDS = {
    "have breakfast": "had breakfast", "go for a walk": "went for a walk", "call a taxi":
    "called a taxi", "take a shower": "took a shower", "leave the house": "left the house",
    "come home": "came home", "fall asleep": "fell asleep", "ring the bell": "rang the bell",
    "feed the cat": "fed the cat", "walk the dog": "walked the dog",
}  # fmt: skip
SHORT_SHARE = 0.2
HALVES_SHARE = 0.3  # of days: times with am and pm


DEED_WORDS = frozenset(
    word for deeds in (DEEDS, SHORT_DEEDS) for pair in deeds.items() for text in pair
    for word in content_words(text)
)  # fmt: skip


class Deeds(Drawing):
    """What people did, and times that follow each other."""

    def deed(self) -> Value:
        """One thing done: `washed the mug`."""
        base, past = self._deed()
        return Value(past, (past,), base=base)

    def incident(self) -> dict[str, Value]:
        """Somebody doing something: `who`, `past`, and the `whole` (Anna washed the mug)."""
        who = self.draw("first_name")
        past = self._deed()[1]
        return {
            "who": who,
            "past": plain(past),
            "whole": plain(f"{who.text} {past}", past),
        }

    def incident2(self) -> dict[str, Value]:
        """Somebody doing something else: as `incident`."""
        return self.incident()

    def incident3(self) -> dict[str, Value]:
        """A third one: as `incident`."""
        return self.incident()

    def day(self) -> dict[str, Value]:
        """Three times of a day, one after another: `first`, `second`, `third`."""
        found: set[tuple[int, int]] = set()
        while len(found) < 3:
            hour, minute = self.hashed(self._hour_and_minute).split(":")
            found.add((int(hour), int(minute)))
        halves = self.random.random() < HALVES_SHARE
        times = [self._told(hour, minute, halves) for hour, minute in sorted(found)]
        values = (plain(text, f"at {text}") for text in times)
        return dict(zip(("first", "second", "third"), values, strict=True))

    def serving(self) -> dict[str, Value]:
        """A drink and how it is taken: the `whole` (tea very weak)."""
        drink, style = self.word("drinks"), self.word("drink_styles")
        return {"whole": plain(f"{drink} {style}", f"{style} {drink}", style)}

    def _deed(self) -> tuple[str, str]:
        if self.random.random() < SHORT_SHARE and not self.vocabulary.held_out:
            return self.random.choice(tuple(SHORT_DEEDS.items()))
        base, past = self.random.choice(tuple(DEEDS.items()))
        thing = self.noun("household_objects", "objects", "appliances", "clothes", "plants")
        return f"{base} the {thing}", f"{past} the {thing}"

    @staticmethod
    def _told(hour: int, minute: int, halves: bool) -> str:
        """A time in 24 hours (`14:20`), or in `halves` of a day (`2:20 pm`)."""
        if not halves:
            return f"{hour}:{minute:02d}"
        return f"{(hour - 1) % 12 + 1}:{minute:02d} {'am' if hour < 12 else 'pm'}"

    def _hour_and_minute(self) -> str:
        return f"{self.random.randrange(6, 23)}:{self.random.randrange(0, 60, 5):02d}"
