"""A family of facts: its slots, its sentences and its questions.

Templates hold `{slot}` or `{slot:form}`. Forms: `of` (Anna's), `a` (a mug, an egg, scissors),
`bare` (the canonical answer), `base` (of a deed), `is|are` (singular|plural), `her|his|their` (by
the person).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, cached_property
from string import Formatter

from universal_memory.training.corpora.vocabulary import content_words

FORMS = ("prose", "transcript", "camera", "tool")
GENRES = ("short", "gloss", "long", "living")


@dataclass(frozen=True)
class Value:
    """What fills a slot: its text in the sentence and the answers it allows, canonical first."""

    text: str
    answers: tuple[str, ...]
    plural: bool = False
    gender: int = 2  # 0 her, 1 his, 2 their
    base: str = ""  # of a deed: wash the mug, for washed the mug

    def form(self, spec: str) -> str:
        """The text in the form a template asks for."""
        if not spec:
            return self.text
        if spec == "of":
            return self.text + "'s"
        if spec == "bare":
            return self.answers[0]
        if spec == "base":
            return self.base
        if spec == "a":
            if self.plural:
                return self.text
            return ("an " if self.text[0] in "aeiouAEIOU" else "a ") + self.text
        choices = spec.split("|")
        return choices[self.gender] if len(choices) == 3 else choices[self.plural]

    @property
    def keys(self) -> frozenset[str]:
        """Content words, for comparing subjects."""
        return content_words(self.text)


def plain(text: str, *others: str, plural: bool = False) -> Value:
    """A value whose canonical answer is its own text."""
    return Value(text, (text, *others), plural)


@cache
def parse(template: str) -> tuple[tuple[str, str | None, str], ...]:
    """A template as (literal, slot or None, form) parts."""
    return tuple((text, slot, spec or "") for text, slot, spec, _ in Formatter().parse(template))


def fill(template: str, values: dict[str, Value]) -> str:
    """The template with its slots filled in."""
    parts: list[str] = []
    for text, slot, spec in parse(template):
        parts.append(text)
        if slot is not None:
            parts.append(values[slot].form(spec))
    return "".join(parts)


def slots_of(template: str) -> set[str]:
    """The slots a template names."""
    return {slot for _, slot, _ in parse(template) if slot is not None}


@dataclass(frozen=True)
class Family:
    """One kind of fact.

    Args:
        name: unique name.
        slots: slot name to the kind of word that fills it (see `slots.KINDS`), or to a part
            (`gloss.word`) of what a kind draws together.
        subject: slots that say what the question is about; every question names all of them.
        answer: the slot that is asked for; no question names it.
        statements: at least five sentences, each naming the subject and the answer.
        questions: at least five wordings.
        spoken: first-person wordings, said by whoever fills the slot `person`.
        form: `prose` (may also be said by somebody), `transcript`, `camera` or `tool`.
        topic: families of one topic ask alike, so a subject appears in only one of them.
        exempt: few different answers by nature; drawn rarely.
        genre: `short` answers to facts of a household, `gloss` (free prose), `long` answers, or
            `living`: who "she" is, what was when, whose "my" is, what somebody would like.
    """

    name: str
    slots: dict[str, str]
    subject: tuple[str, ...]
    answer: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    spoken: tuple[str, ...] = ()
    form: str = "prose"
    topic: str = ""
    exempt: bool = False
    genre: str = "short"
    weight: float = field(default=1.0)

    def __post_init__(self) -> None:
        if self.form not in FORMS:
            raise ValueError(f"family {self.name}: unknown form {self.form!r}, use one of {FORMS}")
        if self.genre not in GENRES:
            raise ValueError(f"family {self.name}: unknown genre {self.genre!r}: use {GENRES}")
        needed = {*self.subject, self.answer}
        for template in (*self.statements, *self.spoken):
            # The speaker of a first-person sentence stands before it.
            named = slots_of(template) | ({"person"} if template in self.spoken else set())
            if not needed <= named or not named <= set(self.slots):
                raise ValueError(f"family {self.name}: slots of {template!r} are not {needed}")
        for template in self.questions:
            named = slots_of(template)
            if not set(self.subject) <= named or self.answer in named:
                raise ValueError(
                    f"family {self.name}: {template!r} must name {self.subject}, not {self.answer}"
                )
        if len(self.statements) < 5 or len(self.questions) < 5:
            raise ValueError(f"family {self.name}: five statements and five questions are needed")

    @cached_property
    def question_words(self) -> frozenset[str]:
        """Content words of the questions, without what fills them."""
        parts = (text for wording in self.questions for text, _, _ in parse(wording))
        return frozenset().union(*map(content_words, parts))

    def template_words(self) -> frozenset[str]:
        """Content words of all templates."""
        words: set[str] = set()
        for template in (*self.statements, *self.spoken, *self.questions):
            for text, slot, spec in parse(template):
                words |= content_words(text)
                if slot is not None and "|" in spec:
                    words |= content_words(spec)
        return frozenset(words)
