"""Generates episodes: a few facts, the text that states them, and questions about them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, lru_cache
from random import Random

from universal_memory.training.corpora.families import FAMILIES, families_of
from universal_memory.training.corpora.families.messages import SAID
from universal_memory.training.corpora.family import Family, Value, fill
from universal_memory.training.corpora.noise import transcription_noise
from universal_memory.training.corpora.references import sentences, with_pronouns
from universal_memory.training.corpora.samples import EpisodeSample, Fact, Question
from universal_memory.training.corpora.slots import SHARED_WORDS, SlotSampler
from universal_memory.training.corpora.subject_register import SubjectRegister
from universal_memory.training.corpora.updating import TOGETHER, differ, kin_of, now, updates
from universal_memory.training.corpora.vocabulary import Vocabulary, content_words
from universal_memory.training.corpora.weighted_choice import WeightedChoice

GENRE_SHARES = {"short": 0.44, "gloss": 0.14, "long": 0.06, "living": 0.36}
FORM_SHARES = {"prose": 0.45, "transcript": 0.20, "camera": 0.15, "tool": 0.20}
WILD_SHARE = 0.3  # of open episodes: any word may stand in a free slot
NOISE_SHARE = 0.1  # of transcripts
FIRST_PERSON_SHARE = 0.7  # of transcripts in families that have first-person wordings
UNKNOWN_SPEAKER_SHARE = 0.25  # of transcripts that are not about their speaker
SAME_FAMILY_SHARE = 0.15  # of further facts of an episode: easily confused with the one before
SAME_PERSON_SHARE = 0.2  # of further facts: about the person of the one before
SAID_AGAIN_SHARE = 0.5  # of transcripts that refer back: the speaker is named again
SAME_WORDING_SHARE = 0.6  # of updates: in the family's own words; others also in those of its kin
NOW_SHARE = 0.15  # of updates that say so
SPOKE = "spoke"  # the topic under which all speakers are taken
PERSON_KINDS = frozenset(("person", "first_name", "full_name"))
QUESTIONS_PER_FACT = (2, 2, 3)
TRIES = 60
TOO_LONG = 12  # sentences that did not fit before an episode is taken as full


def word_pieces(text: str) -> int:
    """An upper estimate of the encoder's word pieces, without its tokenizer."""
    return sum(
        1 + (len(token) - 1) // 7 if token.isalpha() else 1 + (len(token) - 1) // 2
        for token in re.findall(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]", text)
    )


@lru_cache(maxsize=1)
def template_words() -> frozenset[str]:
    """Content words of all sentence templates: seen in training, so never held out."""
    return SHARED_WORDS.union(*(family.template_words() for family in FAMILIES.values()))


@cache
def vocabulary_of(split: str, kind: str) -> Vocabulary:
    """The (shared) vocabulary of a split."""
    return Vocabulary(split, kind, template_words())


class EpisodeGenerator:
    """An endless, deterministic stream of episodes.

    Args:
        seed: same seed, same episodes.
        split: `train`; `held_out`, where no slot word was ever used in training;
            `new_combinations`, trained words in episodes of another stream; or `unseen_families`,
            trained words in the families that no other split draws.
        vocabulary: `closed` (about 400 words, for the start of training) or `open`.
        families: names of the families to draw from; those of the split by default.
        max_word_pieces: bound of an episode's estimated length; an episode that would pass it
            holds fewer facts.

    Raises:
        ValueError: for an unknown split, vocabulary or family.
    """

    def __init__(
        self,
        seed: int,
        split: str = "train",
        vocabulary: str = "open",
        families: Sequence[str] | None = None,
        max_word_pieces: int = 64,
    ) -> None:
        unknown = sorted(set(families or ()) - set(FAMILIES))
        if unknown:
            raise ValueError(f"unknown families {unknown}: see family_names()")
        self._random = Random(f"{seed} {split} {vocabulary}")
        self._words = vocabulary_of(split, vocabulary)
        self._slots = SlotSampler(self._words, self._random)
        self._max_word_pieces = max_word_pieces
        chosen = [FAMILIES[name] for name in (families or families_of(split, vocabulary))]
        self._choices = {
            (genre, form): choice
            for genre in GENRE_SHARES
            for form in FORM_SHARES
            if (choice := WeightedChoice.of([f for f in chosen if f.genre == genre], form))
        }
        # A genre keeps its share, whatever forms it comes in.
        genres = {
            genre: sum(FORM_SHARES[form] for known, form in self._choices if known == genre)
            for genre, _ in self._choices
        }
        self._kinds = list(self._choices)
        self._shares = [
            GENRE_SHARES[genre] * FORM_SHARES[form] / genres[genre] for genre, form in self._kinds
        ]

    def episode(self, facts: int, register: SubjectRegister | None = None) -> EpisodeSample:
        """One episode of `facts` facts, fewer where they would not fit.

        Args:
            facts: how many facts, 1 or more.
            register: subjects taken by other episodes of the same set, for sets whose questions
                must be unambiguous over all of it.
        """
        register = register or SubjectRegister()
        self._start_episode()
        found: list[Fact] = []
        length = 0
        previous: tuple[Family, str, dict[str, Value]] | None = None
        for _ in range(facts):
            too_long = 0
            for _ in range(TRIES):
                family, form, shared = self._draw_next(previous)
                drawn = self._draw_values(family, register, shared)
                if drawn is None:
                    continue
                values, subject = drawn
                fact = self._fact(family, form, values)
                pieces = word_pieces(fact.statement)
                if found and length + pieces > self._max_word_pieces:
                    too_long += 1
                    if too_long == TOO_LONG:
                        break
                    continue
                topic = family.topic or family.name
                if not self._only_speech(fact, topic, register):
                    continue
                register.add(topic, subject)
                found.append(fact)
                length += pieces
                previous = family, form, values
                break
        if not found:
            raise ValueError("no fact left whose subject is free: use more families or fewer facts")
        return EpisodeSample(" ".join(fact.statement for fact in found), tuple(found))

    def group(self, size: int) -> list[EpisodeSample]:
        """Near-duplicates: `size` one-fact episodes of one family about different entities.

        Some of the words that are not asked for are shared between them (hard negatives).
        """
        self._start_episode()
        register = SubjectRegister()
        episodes: list[EpisodeSample] = []
        family, form = self._draw_family()
        while not family.subject:
            family, form = self._draw_family()
        first: dict[str, Value] = {}
        while len(episodes) < size:
            drawn = None
            for _ in range(TRIES):
                drawn = self._draw_values(family, register, self._some(family, first))
                if drawn is not None:
                    break
            if drawn is None:
                return episodes
            values, subject = drawn
            register.add(family.topic or family.name, subject)
            first = first or values
            fact = self._fact(family, form, values)
            episodes.append(EpisodeSample(fact.statement, (fact,)))
        return episodes

    def couple(self) -> tuple[EpisodeSample, EpisodeSample, Question]:
        """Two one-fact episodes about one person, and a question that needs both.

        Raises ValueError where the families have no two topics about people.
        """
        self._start_episode()
        person = self._slots.draw("person")
        able = [
            family
            for (genre, form), choice in self._choices.items()
            if (genre, form) == ("short", "prose")
            for family in choice.families
            if family.subject == ("person",) and family.slots["person"] in PERSON_KINDS
        ]
        register = SubjectRegister()
        facts: list[Fact] = []
        asked: list[str] = []
        answers: list[str] = []
        for _ in range(TRIES):
            if len(facts) == 2 or not able:
                break
            family = self._random.choice(able)
            drawn = self._draw_values(family, register, {"person": person})
            if drawn is None:
                continue
            values, subject = drawn
            register.add(family.topic or family.name, subject)
            facts.append(self._fact(family, "prose", values))
            wording = self._random.choice(family.questions)
            if asked and person.gender < 2:
                wording = with_pronouns(wording)
            asked.append(fill(wording, values).rstrip("?."))
            answers.append(values[family.answer].answers[0])
        if len(facts) < 2:
            raise ValueError("no two facts about one person: use more families about people")
        first, second = asked
        both = f"{first} and {second[0].lower()}{second[1:]}?"
        one, two = (EpisodeSample(fact.statement, (fact,)) for fact in facts)
        return one, two, Question(self._vary(both), (" and ".join(answers),))

    @staticmethod
    def _only_speech(fact: Fact, topic: str, register: SubjectRegister) -> bool:
        """False where "What did Anna say?" would have two answers; else the speaker is taken."""
        speaker, said, _ = fact.statement.partition(" said: ")
        if not said:
            return True
        keys = content_words(speaker)
        if not register.admits(SPOKE if topic == SAID else SAID, keys):
            return False
        register.add(SPOKE, keys)
        return True

    # How a fact is made

    def _start_episode(self) -> None:
        self._slots.wild = not self._words.closed and self._random.random() < WILD_SHARE

    def _draw_family(self) -> tuple[Family, str]:
        kind = self._random.choices(self._kinds, self._shares)[0]
        return self._choices[kind].draw(self._random), kind[1]

    def _draw_next(
        self, previous: tuple[Family, str, dict[str, Value]] | None
    ) -> tuple[Family, str, dict[str, Value]]:
        """A family for the next fact, and the words it shares with the fact before."""
        if previous is not None:
            family, form, values = previous
            if self._random.random() < SAME_FAMILY_SHARE and family.subject and not family.exempt:
                return family, form, self._some(family, values)
            following, form = self._draw_family()
            person = values.get("person") or values.get("speaker")
            if person is not None and self._random.random() < SAME_PERSON_SHARE:
                for slot in following.subject:
                    if following.slots[slot] in PERSON_KINDS:
                        return following, form, {slot: person}
            return following, form, {}
        return (*self._draw_family(), {})

    def _some(self, family: Family, values: dict[str, Value]) -> dict[str, Value]:
        """Some of the values that are not the answer, to make facts that differ in little."""
        return {
            slot: value
            for slot, value in values.items()
            if slot != family.answer and self._random.random() < 0.4
        }

    def _draw_values(
        self,
        family: Family,
        register: SubjectRegister,
        shared: dict[str, Value],
    ) -> tuple[dict[str, Value], frozenset[str]] | None:
        """Values for all slots, no word used by two of them, and the subject; None if taken."""
        values: dict[str, Value] = {}
        used: set[str] = set()
        together: dict[str, dict[str, Value]] = {}
        for slot, kind in family.slots.items():
            whole, _, part = kind.partition(".")
            if part:
                if whole not in together:
                    together[whole] = self._slots.draw_parts(whole)
                values[slot] = together[whole][part]
                continue
            value = shared.get(slot) or self._slots.draw(kind)
            keys = value.keys
            if keys & used:
                return None
            used |= keys
            values[slot] = value
        answer = values[family.answer].keys
        if answer and answer <= family.question_words:
            return None  # "Which thing was it?" must not be answered with a thing
        subject = frozenset(key for slot in family.subject for key in values[slot].keys)
        if not register.admits(family.topic or family.name, subject):
            return None
        return values, subject

    def _fact(self, family: Family, form: str, values: dict[str, Value]) -> Fact:
        random = self._random
        if form == "transcript" and family.form == "prose":
            statement = self._transcript(family, values)
        else:
            statement = fill(random.choice(family.statements), values)
            if form == "prose":
                statement = statement[0].upper() + statement[1:]
        if form == "transcript" and random.random() < NOISE_SHARE:
            speaker, said, rest = statement.partition(" said: ")
            kept = [values[slot].text for slot in (*family.subject, family.answer)]
            statement = speaker + said + transcription_noise(rest, kept, random)
        answers = values[family.answer].answers
        wordings = random.sample(family.questions, random.choice(QUESTIONS_PER_FACT))
        questions = tuple(
            Question(self._vary(fill(wording, values)), answers) for wording in wordings
        )
        subject = tuple(values[slot].text for slot in family.subject)
        return Fact(family.name, statement, questions, subject)

    def _transcript(self, family: Family, values: dict[str, Value]) -> str:
        """The fact as somebody says it: about oneself in the first person, or about others."""
        random = self._random
        if family.spoken and random.random() < FIRST_PERSON_SHARE:
            speaker = values["person"].text
            sentence = fill(random.choice(family.spoken), values)
        else:
            # A speaker named in the sentence would speak of himself by name.
            template = random.choice(family.statements)
            sentence = fill(template, values)
            speaker = self._speaker(values)
            if random.random() < SAID_AGAIN_SHARE:
                sentence = f" {speaker} said: ".join(sentences(sentence))
            if template[0] != "{":
                sentence = sentence[0].lower() + sentence[1:]
        if random.random() < 0.5:
            sentence = sentence[0].upper() + sentence[1:]
        return f"{speaker} said: {sentence}"

    def _speaker(self, values: dict[str, Value]) -> str:
        if self._random.random() < UNKNOWN_SPEAKER_SHARE:
            return "Someone"
        used = frozenset().union(*(value.keys for value in values.values()))
        while True:
            speaker = self._slots.draw("first_name")
            if not speaker.keys & used:
                return speaker.text

    def _vary(self, question: str) -> str:
        """The question as people type or say it: mostly clean, sometimes without case or mark."""
        share = self._random.random()
        question = question[0].upper() + question[1:]
        if share < 0.66:
            return question
        if share < 0.76:
            return question.rstrip("?")
        if share < 0.88:
            return question.lower()
        if share < 0.98:
            return question.lower().rstrip("?")
        return question.upper()

    # How facts change

    def update(
        self, together: bool = False
    ) -> tuple[EpisodeSample, EpisodeSample, EpisodeSample]:
        """Three one-fact episodes about one thing: said, said again, and later said otherwise.

        together: of a family whose facts hold together; else the last contradicts the first two.
        Raises ValueError where the families have none.
        """
        self._start_episode()
        known = {one.name: one for choice in self._choices.values() for one in choice.families}
        for _ in range(10 * TRIES):
            family, form = self._draw_family()
            if not (family.name in TOGETHER if together else updates(family.name)):
                continue
            said = self._draw_values(family, SubjectRegister(), {})
            if said is None:
                continue
            kin = [known[name] for name in kin_of(family.name) if name in known]
            alike = self._random.random() < SAME_WORDING_SHARE
            other = family if alike else self._random.choice(kin)
            first = said[0]
            about = [first[slot] for slot in family.subject]
            shared = self._some(family, first) if other is family else {}
            shared |= dict(zip(other.subject, about, strict=True))
            later = self._draw_values(other, SubjectRegister(), shared)
            if later is None or [later[0][slot] for slot in other.subject] != about:
                continue  # what is drawn in parts is not shared
            if not differ(first[family.answer].answers[0], later[0][other.answer].answers[0]):
                continue
            again = self._fact(family, self._form_of(family), first)
            changed = self._fact(other, self._form_of(other), later[0])
            if self._random.random() < NOW_SHARE:
                changed = replace(changed, statement=now(changed.statement))
            facts = self._fact(family, form, first), again, changed
            one, two, three = (EpisodeSample(fact.statement, (fact,)) for fact in facts)
            return one, two, three
        raise ValueError("no family whose facts change so: use more families")

    def _form_of(self, family: Family) -> str:
        spoken = family.form == "prose" and self._random.random() < FORM_SHARES["transcript"]
        return "transcript" if spoken else family.form
