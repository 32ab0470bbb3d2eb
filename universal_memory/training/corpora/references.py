"""Sentences that go on with whom or what was named before."""

from __future__ import annotations

import re

# Before a sentence that goes on with whom or what the one before it was about.
BACK = re.compile(
    r"(?<=[.!?]) (?=(?:She|He|They|It|Her|His|Their|Then|There|After that|Afterwards|Later)\b)"
)


def sentences(text: str) -> list[str]:
    """A text cut before every sentence that refers back to the one before it."""
    return BACK.split(text)


def with_pronouns(wording: str) -> str:
    """The wording of a second question about a person who was named in the first."""
    possessive = wording.replace("{person:of}", "{person:her|his|their}")
    return possessive.replace("{person} ", "{person:she|he|they} ", 1)
