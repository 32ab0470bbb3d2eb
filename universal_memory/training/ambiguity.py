"""Which other files a question could mean as well.

Two facts can be taken for each other when they are of one topic and what the question names of the
one is part of what it names of the other: "Anna's umbrella" beside "Anna's blue umbrella". Such
files are no wrong answers in training, and no benchmark asks for one of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from itertools import combinations

from universal_memory.training.corpora import EpisodeSample, Fact
from universal_memory.training.corpora.families import FAMILIES
from universal_memory.training.corpora.vocabulary import content_words

POSSESSIVE = {"s"}
MOST_WORDS = 10  # of a subject whose parts are looked up


@cache
def _template_words(family: str) -> frozenset[str]:
    return FAMILIES[family].template_words()


def subject_of(fact: Fact) -> tuple[str, frozenset[str]]:
    """Topic and the words that every question about a fact names, wording left out."""
    family = FAMILIES[fact.family]
    if not family.subject:
        return family.topic or family.name, frozenset()
    named = frozenset.intersection(*(content_words(asked.text) for asked in fact.questions))
    return family.topic or family.name, named - _template_words(fact.family) - POSSESSIVE


class Ambiguity:
    """The facts of a list of files by topic and subject."""

    def __init__(self, episodes: Sequence[EpisodeSample]) -> None:
        self._exact: defaultdict[tuple[str, frozenset[str]], set[int]] = defaultdict(set)
        self._naming: defaultdict[tuple[str, str], set[tuple[frozenset[str], int]]]
        self._naming = defaultdict(set)
        self._topics: defaultdict[str, set[int]] = defaultdict(set)
        for number, episode in enumerate(episodes):
            for fact in episode.facts:
                topic, subject = subject_of(fact)
                self._exact[topic, subject].add(number)
                self._topics[topic].add(number)
                for word in subject:
                    self._naming[topic, word].add((subject, number))

    def rivals(self, own: int, fact: Fact) -> set[int]:
        """Files but `own` that a question about `fact`, a fact of file `own`, could mean."""
        topic, subject = subject_of(fact)
        if not subject:
            return self._topics[topic] - {own}
        found: set[int] = set()
        for size in range(len(subject) + 1 if len(subject) <= MOST_WORDS else 1):
            for part in combinations(sorted(subject), size):
                found |= self._exact.get((topic, frozenset(part)), set())
        rarest = min((self._naming[topic, word] for word in subject), key=len)
        found.update(number for whole, number in rarest if subject <= whole)
        return found - {own}
