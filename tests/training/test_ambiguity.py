"""Which files a question could mean as well."""

from __future__ import annotations

from universal_memory.training.ambiguity import Ambiguity, subject_of
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample, Fact, Question
from universal_memory.training.corpora.families import FAMILIES


def colour(owner: str, thing: str, colour: str = "red") -> EpisodeSample:
    family = FAMILIES["object_colour"]
    questions = tuple(
        Question(wording.format(person=None, object=None), (colour,))
        for wording in (
            f"What colour is {owner}'s {thing}?",
            f"Which colour does {owner}'s {thing} have?",
        )
    )
    statement = f"{owner}'s {thing} is {colour}."
    return EpisodeSample(statement, (Fact(family.name, statement, questions),))


def test_a_part_of_the_subject_is_a_rival() -> None:
    files = [
        colour("Anna", "umbrella"),
        colour("Anna", "beach umbrella"),
        colour("Anna", "mug"),
        colour("Berta", "umbrella"),
    ]
    known = Ambiguity(files)
    rivals = [known.rivals(number, file.facts[0]) for number, file in enumerate(files)]
    assert rivals == [{1}, {0}, set(), set()]


def test_subjects_are_what_every_wording_names() -> None:
    fact = colour("Anna", "beach umbrella").facts[0]
    assert subject_of(fact)[1] == {"anna", "beach", "umbrella"}


def test_other_topics_are_no_rivals() -> None:
    generator = EpisodeGenerator(1)
    files = [colour("Anna", "umbrella"), *(generator.episode(2) for _ in range(50))]
    files = [files[0], *(one for one in files[1:] if one.facts[0].family != "object_colour")]
    assert Ambiguity(files[:1]).rivals(0, files[0].facts[0]) == set()


def test_near_duplicates_of_a_group_are_told_apart_by_their_questions() -> None:
    group = EpisodeGenerator(2).group(4)
    known = Ambiguity(group)
    assert all(not known.rivals(number, file.facts[0]) for number, file in enumerate(group))
