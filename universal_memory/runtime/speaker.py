"""Who asks: "my" and "I" of a question, bound to the speaker."""

from __future__ import annotations

import re

# One pass over the question: a name that is itself such a word ("My" is one) is left alone.
_FIRST_PERSON = re.compile(
    r"\b(?:(?P<verb>do|have) I|(?P<asked>am I)|(?P<be>I am|I'm)|(?P<has>I have|I've)"
    r"|(?P<own>my|mine)|(?P<self>I|me|myself))\b",
    re.IGNORECASE,
)
_FORMS = {"asked": "is {}", "be": "{} is", "has": "{} has", "own": "{}'s", "self": "{}"}
_VERBS = {"do": "does", "have": "has"}


def bind_speaker(question: str, speaker: str) -> str:
    """`question` with its first person replaced by `speaker`; as it is if there is no speaker.

    What Anna means by "my tea" was compiled as Anna's tea, so that is what must be asked for.
    """
    if not speaker.strip():
        return question

    def replacement(match: re.Match[str]) -> str:
        if verb := match["verb"]:
            other = _VERBS[verb.lower()]
            return f"{other.capitalize() if verb[0].isupper() else other} {speaker}"
        return _FORMS[str(match.lastgroup)].format(speaker)

    return _FIRST_PERSON.sub(replacement, question)
