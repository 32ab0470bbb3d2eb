"""Word pools of the corpus and their split into trained and held-out words.

A word is held out when a stable hash of it says so, whatever list it comes from. An entry of
several words is trained when none of its content words is held out, held out when all of them
are, and unused otherwise: no held-out answer can be assembled from words seen in training.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from zlib import crc32

FOLDER = Path(__file__).parent / "words"
UNSEEN_FAMILIES = "unseen_families"
SPLITS = ("train", "held_out", "new_combinations", UNSEEN_FAMILIES)
VOCABULARIES = ("closed", "open")
HELD_OUT_PERCENT = 12
# Of 20,000 salts, the first of those that keep most everyday words (kitchen, tea, keys, red) in
# training: the weights trained on this split are also the ones that robots use.
SALT = b"universal memory 5829 "

# Words without content: shared by all splits and ignored when subjects are compared.
FUNCTION_WORDS = frozenset(
    "a an the of in on at by to for with without from and or two three one my your his her their "
    "our its is are was out up down off under behind next near left right side top bottom front "
    "mr mrs ms dr street road lane avenue half past quarter am pm o clock "
    "monday tuesday wednesday thursday friday saturday sunday january february march april may "
    "june july august september october november december".split()
)

# Lists sorted by frequency: where long, their front is drawn more often. Others are drawn evenly,
# so that no single word becomes a likely answer.
RANKED = frozenset(
    "adjectives animals cities first_names_female first_names_male flora foods_more objects "
    "surnames words".split()
)

LONG = 400

# How many entries of a list the closed vocabulary keeps; lists not named keep CLOSED_DEFAULT.
CLOSED_DEFAULT = 12
CLOSED_SIZES = {
    "first_names_female": 24,
    "first_names_male": 24,
    "household_objects": 40,
    "foods": 28,
    "colours": 16,
    "surnames": 16,
    "words": 30,
    "relations": 30,
    "verbs_transitive": 30,
}
# In the closed vocabulary these wide lists are left out in favour of the household ones.
WIDE = {
    "objects": "household_objects",
    "clothes": "household_objects",
    "tools": "household_objects",
    "foods_more": "foods",
    "beverages": "drinks",
    "animals": "pets",
    "flora": "plants",
    "fabrics": "materials",
    "occupations": "roles",
    "sports": "activities",
    "buildings": "public_places",
}


# Where few entries of a short list are held out, held-out words of a wider one stand in.
ENOUGH = 30
FALLBACKS = {
    "activities": "words",
    "appliances": "objects",
    "appointments": "words",
    "beverages": "foods_more",
    "buildings": "objects",
    "clothes": "objects",
    "containers": "objects",
    "countries": "cities",
    "drink_styles": "adjectives",
    "drinks": "foods_more",
    "errors": "problems",
    "fabrics": "words",
    "food_styles": "adjectives",
    "foods": "foods_more",
    "household_objects": "objects",
    "instruments": "objects",
    "kin": "occupations",
    "materials": "words",
    "medicines": "flora",
    "occupations": "words",
    "pets": "animals",
    "plants": "flora",
    "problems": "adjectives",
    "public_places": "buildings",
    "roles": "occupations",
    "rooms": "buildings",
    "rooms_features": "objects",
    "sports": "words",
    "subjects": "words",
    "surfaces": "objects",
    "symptoms": "words",
    "tasks": "activities",
    "tools": "objects",
    "vehicles": "objects",
}


@lru_cache(maxsize=100_000)
def content_words(text: str) -> frozenset[str]:
    """Lower-case words that carry content, plural `s` removed, so `Keys` and `key` compare."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    kept = (word for word in words if word not in FUNCTION_WORDS)
    return frozenset(
        word[:-1] if len(word) > 3 and word[-1] == "s" and word[-2] != "s" else word
        for word in kept
    )


@lru_cache(maxsize=200_000)
def is_held_out(word: str) -> bool:
    """True for about 12 % of all words and numbers, by a hash that never changes."""
    return crc32(SALT + word.encode()) % 100 < HELD_OUT_PERCENT


def split_of(text: str) -> str | None:
    """`train`, `held_out`, or None for an entry that mixes both or has no content word."""
    held = {is_held_out(word) for word in content_words(text)}
    if len(held) != 1:
        return None
    return "held_out" if held.pop() else "train"


@cache
def entries(name: str) -> tuple[str, ...]:
    """All entries of the list `words/NAME.txt`, in file order."""
    return tuple((FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("\n")[:-1])


class Vocabulary:
    """The pools of one split.

    Args:
        split: `held_out`, or `train`, `new_combinations` or `unseen_families`, which share pools.
        kind: `open`, or `closed` for about 400 words.
        reserved: words of the sentence templates; never used as held-out words.

    Raises:
        ValueError: for an unknown split or kind.
    """

    def __init__(self, split: str, kind: str, reserved: frozenset[str] = frozenset()) -> None:
        if split not in SPLITS:
            raise ValueError(f"unknown split {split!r}: use one of {', '.join(SPLITS)}")
        if kind not in VOCABULARIES:
            raise ValueError(f"unknown vocabulary {kind!r}: use one of {', '.join(VOCABULARIES)}")
        self.held_out = split == "held_out"
        self.closed = kind == "closed"
        self._wanted = "held_out" if self.held_out else "train"
        self._reserved = reserved
        self._pools: dict[str, tuple[str, ...]] = {}

    def pool(self, name: str) -> tuple[str, ...]:
        """The entries of one list that this split may use."""
        if self.closed:
            name = WIDE.get(name, name)
        found = self._pools.get(name)
        if found is None:
            found = self._pools[name] = tuple(self._select(entries(name)))
            if self.closed:
                found = self._pools[name] = found[: CLOSED_SIZES.get(name, CLOSED_DEFAULT)]
            if not found and name not in FALLBACKS:
                raise ValueError(f"list {name!r} has no {self._wanted} entries: add words to it")
        return found

    def draw(self, random: Random, name: str) -> str:
        """One entry of a list, frequent words first where the list is ranked."""
        pool = self.pool(name)
        while self.held_out and name in FALLBACKS and random.random() > len(pool) / ENOUGH:
            name = FALLBACKS[name]
            pool = self.pool(name)
        position = random.random()
        if name in RANKED and len(pool) >= LONG:
            position *= position
        return pool[int(len(pool) * position)]

    @property
    def reserved(self) -> frozenset[str]:
        """Words of the sentence templates."""
        return self._reserved

    def admits(self, text: str) -> bool:
        """Whether a number or code, hashed as a whole, belongs to this split."""
        return is_held_out(text) == self.held_out

    def _select(self, words: Iterable[str]) -> Iterable[str]:
        for word in words:
            seen = self.held_out and content_words(word) & self._reserved
            if split_of(word) == self._wanted and not seen:
                yield word
