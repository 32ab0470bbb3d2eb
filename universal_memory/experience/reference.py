"""Back references: what can only be understood with what was said before it.

"She left her glasses in the drawer." says nothing by itself: who she is stands in the event before.
A small list of first words, English, and no more: who is meant is for the encoder to find, which
reads both sentences at once.
"""

from __future__ import annotations

import re

from universal_memory.experience.event import Event, Modality

MOST_JOINED = 3  # events: the one that is referred to, and those that refer back

_SPOKEN = (Modality.AUDIO, Modality.TEXT)  # what cameras and tools tell of stands by itself
_SPEAKER = re.compile(r"[^:]{1,100}? said: *")
_WORD = re.compile(r"[^\W_]+")
_FIRST = frozenset(
    _WORD.findall("he him his she her hers it its they them their theirs then later afterwards")
)
_BE = frozenset(  # "There is a cup in the sink." points nowhere; "There he keeps his tea." does
    _WORD.findall(
        "s is are was were isn aren wasn weren will ll has have had must may might can cannot"
        " could should would seems"
    )
)
_WEATHER = frozenset(_WORD.findall("rains rained raining snows snowed snowing"))


def may_refer_back(event: Event) -> bool:
    """Whether events like this one can refer back, and be referred to: what people say or write."""
    return event.modality in _SPOKEN


def refers_back(event: Event) -> bool:
    """Whether the event begins with a word that points to what was said before it."""
    if not may_refer_back(event):
        return False
    spoken = _SPEAKER.match(event.text)
    return _points_back(event.text) or (
        spoken is not None and _points_back(event.text[spoken.end() :])
    )


def _points_back(text: str) -> bool:
    first, second, third = [*_WORD.findall(text[:100].casefold())[:3], "", "", ""][:3]
    if first == "it":
        return second not in _WEATHER and third not in _WEATHER
    if first == "there":
        return second != "" and second not in _BE
    if first == "after":
        return second in ("that", "this", "which")
    return first in _FIRST
