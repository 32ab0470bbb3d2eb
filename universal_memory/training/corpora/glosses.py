"""Nouns with their glosses: prose that no template made, split by the noun.

A gloss is of the split of its headword. Running prose holds many other words, so a gloss is
trained only where none of them is a word that the lists or the headwords hold out: what the
held-out split asks for was never read, here neither.
"""

from __future__ import annotations

from functools import cache

from universal_memory.training.corpora.vocabulary import (
    FOLDER,
    Vocabulary,
    content_words,
    is_held_out,
    split_of,
)

GLOSSES = FOLDER / "glosses.tsv"


@cache
def entries() -> tuple[tuple[str, str], ...]:
    """All headwords, with article where they take one, and glosses, in file order."""
    lines = GLOSSES.read_text(encoding="ascii").splitlines()
    return tuple((head, gloss) for head, _, gloss in (line.partition("\t") for line in lines))


@cache
def listed_held_out(reserved: frozenset[str]) -> frozenset[str]:
    """The held-out words of all lists; `reserved` are the words of the sentence templates."""
    held_out = Vocabulary("held_out", "open", reserved)
    return frozenset(
        word
        for path in FOLDER.glob("*.txt")
        for entry in held_out.pool(path.stem)
        for word in content_words(entry)
    )


@cache
def gloss_pool(held_out: bool, reserved: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """The entries of the held-out or of the trained split."""
    unseen = {
        word
        for head, _ in entries()
        for word in content_words(head)
        if is_held_out(word) and word not in reserved
    }
    if held_out:
        return tuple((head, gloss) for head, gloss in entries() if content_words(head) <= unseen)
    unseen |= listed_held_out(reserved)
    return tuple(
        (head, gloss)
        for head, gloss in entries()
        if split_of(head) == "train" and not content_words(gloss) & unseen
    )
