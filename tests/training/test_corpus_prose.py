"""Real prose and long answers: their split, their shares, their blanks and their lengths."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise

import pytest

from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.corpora.evaluation import RECIPES, write_evaluation
from universal_memory.training.corpora.families import FAMILIES, HELD_OUT_FAMILIES, families_of
from universal_memory.training.corpora.families.messages import SAID
from universal_memory.training.corpora.generator import (
    GENRE_SHARES,
    template_words,
    vocabulary_of,
    word_pieces,
)
from universal_memory.training.corpora.glosses import (
    GLOSSES,
    entries,
    gloss_pool,
    listed_held_out,
)
from universal_memory.training.corpora.slots.prose import blanks
from universal_memory.training.corpora.vocabulary import content_words, split_of

CLOZE = ("cloze_sentence", "cloze_part")
MEANING = ("definition", "word_for", "tool_look_up")
LONG = tuple(name for name, family in FAMILIES.items() if family.genre == "long")


def facts(number: int, split: str = "train", families=None, size: int = 1):
    generator = EpisodeGenerator(11, split, families=families)
    return [fact for _ in range(number) for fact in generator.episode(size).facts]


def test_list_of_glosses_is_clean():
    assert GLOSSES.stat().st_size < 600_000
    assert 6000 <= len(entries()) <= 8000
    assert len({head for head, _ in entries()}) == len(entries())
    assert len({gloss for _, gloss in entries()}) == len(entries())
    for head, gloss in entries():
        assert 5 <= len(gloss.split()) <= 16, gloss
        assert not set('();:"') & set(gloss), gloss
        assert not content_words(head) & content_words(gloss), (head, gloss)


def test_glosses_are_split_by_their_headword_and_trained_ones_hold_no_held_out_word():
    reserved = template_words()
    train, held_out = gloss_pool(False, reserved), gloss_pool(True, reserved)
    assert len(train) > 5500
    assert len(held_out) > 800
    assert {split_of(head) for head, _ in train} == {"train"}
    assert {split_of(head) for head, _ in held_out} == {"held_out"}
    unseen = {word for head, _ in held_out for word in content_words(head)}
    unseen |= listed_held_out(reserved)
    assert not unseen & {word for entry in train for text in entry for word in content_words(text)}
    trained = "\n".join(gloss for _, gloss in train)
    assert not [gloss for _, gloss in held_out if gloss in trained]


def test_training_never_says_a_held_out_gloss_or_word():
    unseen = listed_held_out(template_words())
    glosses = [gloss for _, gloss in gloss_pool(True, template_words())]
    said = facts(3000, families=[*CLOZE, *MEANING, *LONG])
    text = "\n".join(f"{fact.statement} {fact.questions[0].text}" for fact in said)
    assert not [gloss for gloss in glosses if gloss in text]
    assert not content_words(text) & unseen


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_a_blank_is_one_or_two_words_that_the_sentence_says_once(split):
    lengths = Counter()
    for fact in facts(1000, split, families=CLOZE):
        for question in fact.questions:
            answer = question.answers[0]
            assert len(answer.split()) <= 2
            assert not content_words(answer) & content_words(question.text), fact
            lengths[len(answer.split())] += 1
    assert 0.15 < lengths[2] / lengths.total() < 0.5


def test_blanks_need_something_left_to_tell_the_sentence_by():
    assert blanks("the act of removing") == ()
    found = blanks("a bowl-shaped strainer used to wash or drain foods")
    assert (2, 2) in found
    assert (1, 2) in found
    assert all(first <= last <= first + 1 for first, last in found)
    # Not `used to`, and not the same word twice.
    assert (3, 3) not in found
    assert blanks("a small box in a small wooden house by the sea")[0] == (2, 2)


@pytest.mark.parametrize("split", ["train", "held_out", "new_combinations"])
def test_long_answers_are_long(split):
    for fact in facts(1000, split, families=[*LONG, "definition", "tool_look_up"]):
        assert 6 <= len(fact.questions[0].answers[0].split()) <= 15, fact


def test_long_answers_are_diverse():
    for name in LONG:
        answers = [fact.questions[0].answers[0] for fact in facts(300, families=[name])]
        assert len(set(answers)) > 295, name
        starts = Counter(tuple(answer.split()[:3]) for answer in answers)
        assert starts.most_common(1)[0][1] < 100, (name, starts.most_common(1))


def test_shares_of_the_genres_in_training():
    drawn = Counter(FAMILIES[fact.family].genre for fact in facts(6000))
    for genre, share in GENRE_SHARES.items():
        assert drawn[genre] / drawn.total() == pytest.approx(share, abs=0.02)


def test_only_open_training_draws_prose_and_long_answers():
    wide = {name for name in families_of("train") if FAMILIES[name].genre != "short"}
    living = {name for name, family in FAMILIES.items() if family.genre == "living"}
    assert wide == {*CLOZE, *MEANING, *LONG} | (living - HELD_OUT_FAMILIES)
    for split in ("held_out", "new_combinations", "unseen_families"):
        assert not wide & set(families_of(split))
    assert not wide & set(families_of("train", "closed"))


def test_lengths_are_bounded():
    for fact in facts(3000, families=[*CLOZE, *MEANING, *LONG]):
        assert word_pieces(fact.statement) <= 56, fact
        for question in fact.questions:
            assert len((question.text + question.answers[0]).split()) <= 40, question


def test_who_is_asked_for_all_he_said_said_one_thing():
    generator = EpisodeGenerator(3, families=["said_request", "said_news", "code_word", "allergy"])
    asked = 0
    for _ in range(3000):
        said = generator.episode(4).facts
        speakers = [fact.statement.partition(" said: ")[0] for fact in said]
        for one, other in pairwise(sorted(zip(speakers, said, strict=True), key=lambda e: e[0])):
            if one[0] == other[0]:
                assert SAID not in {FAMILIES[fact.family].topic for fact in (one[1], other[1])}
        asked += sum(FAMILIES[fact.family].topic == SAID for fact in said)
    assert asked > 1000


@pytest.mark.parametrize(("recipe", "fewest", "most"), [("cloze", 1, 2), ("long", 6, 15)])
def test_recipes_have_answers_of_their_length(tmp_path, recipe, fewest, most):
    path = tmp_path / "set.jsonl"
    assert write_evaluation(path, 1, 200, 1, recipe) == 200
    questions = [
        question
        for line in path.read_text().splitlines()
        for question in json.loads(line)["questions"]
    ]
    assert all(fewest <= len(question["answers"][0].split()) <= most for question in questions)
    families = {name for _, names in RECIPES[recipe] for name in names}
    assert {question["family"] for question in questions} == families


def test_closed_vocabulary_has_no_glosses():
    assert vocabulary_of("train", "closed").closed
    generator = EpisodeGenerator(2, vocabulary="closed")
    drawn = {FAMILIES[generator.episode(1).facts[0].family].genre for _ in range(500)}
    assert drawn == {"short"}
