"""Errors of speech recognition: dropped words, homophones, fillers, lost case and punctuation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random

HOMOPHONES = {
    "their": "there", "there": "their", "to": "too", "too": "to", "by": "buy", "its": "it's",
    "for": "four", "your": "you're", "know": "no", "here": "hear", "wait": "weight",
    "needs": "kneads", "our": "hour", "hour": "our", "new": "knew", "be": "bee", "would": "wood",
    "which": "witch", "are": "our", "in": "inn", "and": "an", "has": "as",
}  # fmt: skip
DROPPED = frozenset("the a an is are was to of that please just will my be it and".split())
FILLERS = ("uh", "um", "er", "like", "well", "you know")
KINDS = ("drop", "homophone", "filler", "case", "punctuation")


def bare(word: str) -> str:
    """Lower case, letters, digits, `'` and `-` only."""
    return re.sub(r"[^\w'-]", "", word).lower()


def transcription_noise(sentence: str, protected: Iterable[str], random: Random) -> str:
    """The sentence as a recogniser might write it; the words of protected phrases are kept.

    One to three kinds of error are applied. Nothing is inserted between two protected words, so
    a protected phrase survives verbatim.
    """
    safe = {bare(word) for phrase in protected for word in phrase.split()}
    kinds = set(random.sample(KINDS, random.choice((1, 2, 3))))
    out: list[str] = []
    previous_kept = False
    for word in sentence.split(" "):
        plain = bare(word)
        keep = plain in safe or plain.removesuffix("'s") in safe
        if "filler" in kinds and not (keep and previous_kept) and random.random() < 0.15:
            out.append(random.choice(FILLERS))
        previous_kept = keep
        if not keep:
            if "drop" in kinds and plain in DROPPED and random.random() < 0.35:
                continue
            if "homophone" in kinds and plain in HOMOPHONES and random.random() < 0.5:
                word = word.lower().replace(plain, HOMOPHONES[plain])
            if "case" in kinds:
                word = word.lower()
            if "punctuation" in kinds:
                word = word.rstrip(".,!?")
        out.append(word)
    text = " ".join(out)
    return text.rstrip(".!?") if "punctuation" in kinds else text
