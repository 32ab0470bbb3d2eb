"""What all kinds of slots are drawn with: words of a vocabulary, and chance."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from universal_memory.training.corpora.family import Value
from universal_memory.training.corpora.vocabulary import Vocabulary

WILD_SLOT_SHARE = 0.5


class Drawing:
    """Draws words of one vocabulary.

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
        """One value of a kind; raises AttributeError for a kind that does not exist."""
        return getattr(self, kind)()

    def draw_parts(self, kind: str) -> dict[str, Value]:
        """What a kind draws together; raises AttributeError for a kind that does not exist."""
        return getattr(self, kind)()

    def word(self, *lists: str) -> str:
        """One entry of one of the lists (equal shares)."""
        name = lists[0] if len(lists) == 1 else self.random.choice(lists)
        return self.vocabulary.draw(self.random, name)

    def noun(self, *lists: str) -> str:
        """Like `word`, but any common word half of the time in a wild episode."""
        if self.wild and self.random.random() < WILD_SLOT_SHARE:
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
