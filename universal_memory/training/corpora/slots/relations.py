"""Draws open relations: nouns and verbs that say what is asked about a thing or a person.

No template names one of them, so that a question about a relation means no other family. Every
draw is as good as a kind of fact of its own.
"""

from __future__ import annotations

import re
from functools import cache

from universal_memory.training.corpora.family import Value, plain
from universal_memory.training.corpora.slots.drawing import Drawing
from universal_memory.training.corpora.slots.things import is_plural
from universal_memory.training.corpora.vocabulary import content_words, entries

RELATION_SHARE = 0.5  # of relations that are from the list of relations, not any noun
QUALIFIED_SHARE = 0.2  # of relations: with an adjective


def past_of(verb: str) -> str:
    """The past of a regular verb: `dusted`, `carved`, `dried`, `grabbed`."""
    if verb.endswith("e"):
        return verb + "d"
    if re.search(r"[^aeiou]y$", verb):
        return verb[:-1] + "ied"
    return _doubled(verb) + "ed"


def gerund_of(verb: str) -> str:
    """The present participle of a regular verb."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    return _doubled(verb) + "ing"


def _doubled(verb: str) -> str:
    """The verb, its last letter twice where it is one short syllable."""
    short = re.fullmatch(r"(?:qu|[^aeiou])*[aeiou][^aeiouwxy]", verb)
    return verb + verb[-1] if short else verb


@cache
def _taken() -> frozenset[str]:
    return frozenset(word for entry in entries("kin") for word in content_words(entry))


class Relations(Drawing):
    """Relations between people, things and their properties."""

    def relation(self) -> Value:
        """What somebody has: `motto`, `secret rival`, `cloud`."""
        return plain(self._relation("relations", RELATION_SHARE))

    def aspect(self) -> Value:
        """What a thing has: any noun."""
        return plain(self._relation("words", 1.0))

    def field_name(self) -> Value:
        """One word, as a tool calls what it returns."""
        while True:
            text = self._relation("words", 0.7)
            if text.isalpha():
                return plain(text.lower())

    def verb(self) -> dict[str, Value]:
        """A regular transitive verb: its `base`, `past` and `gerund`."""
        for _ in range(400):
            base = self.word("verbs_transitive")
            past, gerund = past_of(base), gerund_of(base)
            if not content_words(f"{base} {past} {gerund}") & self.vocabulary.reserved:
                return {"base": plain(base), "past": plain(past), "gerund": plain(gerund)}
        raise ValueError("every verb is a word of a template: add verbs")

    def _relation(self, name: str, share: float) -> str:
        for _ in range(400):
            wide = not self.vocabulary.closed and self.random.random() >= share
            text = self.word("objects" if wide and name == "words" else "words" if wide else name)
            if not self.vocabulary.closed and self.random.random() < QUALIFIED_SHARE:
                text = f"{self.word('adjectives')} {text}"
            named = content_words(text)
            if named and not is_plural(text) and not named & (self.vocabulary.reserved | _taken()):
                return text
        raise ValueError(f"every entry of {name!r} is a word of a template: add entries")
