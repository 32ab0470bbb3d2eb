"""Draws nouns with their glosses, whole or with a blank in them.

What belongs together is drawn together: a kind here returns several values by name, and a slot of
kind `gloss.word` takes one of them.
"""

from __future__ import annotations

import re
from functools import cache
from random import Random

from universal_memory.training.corpora.family import Value, plain
from universal_memory.training.corpora.glosses import gloss_pool
from universal_memory.training.corpora.slots.drawing import Drawing
from universal_memory.training.corpora.vocabulary import FUNCTION_WORDS, content_words

LONG = (6, 15)  # words of a gloss that is itself an answer
TWO_WORDS_SHARE = 0.4  # of blanks, where two words of content follow each other
NEAR = 4  # words on either side of a blank, where only a part of the sentence is asked with
TELLING = 3  # words of content that stay beside a blank, at least
# Not worth a blank, or part of the question.
STOP_WORDS = FUNCTION_WORDS | frozenset(
    "that which who whom whose this these those it them they you something someone anything any "
    "what each every other another such some not can may might be been being have has had having "
    "does do did as than into onto over through between about after before during when where "
    "while if because only also very more most usually used using often especially etc "
    "word words sentence missing blank gap goes said complete".split()
)


@cache
def blanks(gloss: str) -> tuple[tuple[int, int], ...]:
    """The first and the last word of every place that can be blanked, counted from 0.

    What is missing stands nowhere else in the gloss, or it would be no question. What is left says
    which sentence is meant: not `the act of ____`.
    """
    words = gloss.split()
    telling = sum(word.strip(",").lower() not in STOP_WORDS for word in words)
    good = [
        re.fullmatch(r"[A-Za-z][A-Za-z-]{2,},?", word) is not None
        and word.strip(",").lower() not in STOP_WORDS
        and sum(bool(content_words(word) & content_words(other)) for other in words) == 1
        for word in words
    ]
    ones = [(i, i) for i, fits in enumerate(good) if fits]
    twos = [(i, i + 1) for i, _ in ones if words[i][-1] != "," and good[i + 1 : i + 2] == [True]]
    return tuple(blank for blank in (*ones, *twos) if telling - (blank[1] - blank[0]) > TELLING)


def choose_blank(gloss: str, random: Random) -> tuple[int, int] | None:
    """One of the blanks of a gloss, None if it has none."""
    found = blanks(gloss)
    if not found:
        return None
    two = random.random() < TWO_WORDS_SHARE
    wanted = [blank for blank in found if (blank[0] != blank[1]) == two]
    return random.choice(wanted or found)


class Prose(Drawing):
    """Nouns with their glosses."""

    def gloss(self) -> dict[str, Value]:
        """`word` (a colander) and `meaning` (a bowl-shaped strainer ...), 6 to 15 words."""
        while True:
            head, gloss = self._entry()
            if LONG[0] <= len(gloss.split()) <= LONG[1]:
                return {"word": named(head), "meaning": plain(gloss)}

    def cloze(self) -> dict[str, Value]:
        """A gloss in pieces around the `missing` words: `before` and `after`, and next to them
        `left` and `right` with the rest in `start` and `end`.
        """
        while True:
            head, gloss = self._entry()
            blank = choose_blank(gloss, self.random)
            if blank is None:
                continue
            first, last = blank
            words = gloss.split(" ")
            missing = " ".join(words[first : last + 1])
            # A comma after the blank is not missing.
            comma = "," if missing.endswith(",") else ""
            before, after = words[:first], [comma, *words[last + 1 :]]
            near = max(0, first - NEAR)
            parts = {
                "missing": missing.rstrip(","),
                "before": "".join(word + " " for word in before),
                "start": "".join(word + " " for word in before[:near]),
                "left": "".join(word + " " for word in before[near:]),
                "after": " ".join(after) if after[1:] else comma,
                "right": " ".join(after[: NEAR + 1]),
                "end": "".join(" " + word for word in after[NEAR + 1 :]),
            }
            return {"word": named(head)} | {name: plain(text) for name, text in parts.items()}

    def _entry(self) -> tuple[str, str]:
        pool = gloss_pool(self.vocabulary.held_out, self.vocabulary.reserved)
        return self.random.choice(pool)


def named(head: str) -> Value:
    """A headword with its article; the answer is the word alone."""
    article, _, word = head.partition(" ")
    return Value(head, (word, head)) if article in ("a", "an") else plain(head)
