"""Who asks: "my" and "I" of a question, bound to the speaker."""

from __future__ import annotations

import re

_FIRST_PERSON = (
    (r"\b(do|have) I\b", {"do": "does", "have": "has"}),
    (r"\bam I\b", "is {speaker}"),
    (r"\bI am\b|\bI'm\b", "{speaker} is"),
    (r"\bI have\b|\bI've\b", "{speaker} has"),
    (r"\b(?:my|mine)\b", "{speaker}'s"),
    (r"\b(?:I|me|myself)\b", "{speaker}"),
)


def bind_speaker(question: str, speaker: str) -> str:
    """`question` with its first person replaced by `speaker`; as it is if there is no speaker.

    What Anna means by "my tea" was compiled as Anna's tea, so that is what must be asked for.
    """
    if not speaker.strip():
        return question
    for pattern, form in _FIRST_PERSON:

        def replacement(match: re.Match[str], form: str | dict[str, str] = form) -> str:
            if isinstance(form, dict):
                verb = match.group(1)
                other = form[verb.lower()]
                return f"{other.capitalize() if verb[0].isupper() else other} {speaker}"
            return form.format(speaker=speaker)

        question = re.sub(pattern, replacement, question, flags=re.IGNORECASE)
    return question
