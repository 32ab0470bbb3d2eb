"""Training of the pointer: where answers stand, what is drawn, and that it goes on where cut."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from universal_memory.routing.pointer import Pointer
from universal_memory.space.text_tower import TextTower
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.corpora.samples import EpisodeSample, Fact, Question
from universal_memory.training.pointing import (
    FOREIGN,
    PointerTraining,
    PointingCorpus,
    PointingPlan,
    places_of,
    pointed,
    pointed_facts,
)
from universal_memory.training.rare_pieces import RarePieces


@pytest.fixture(scope="module")
def corpus(tower: TextTower) -> PointingCorpus:
    generator = EpisodeGenerator(3)
    episodes = [generator.episode(1 + number % 3) for number in range(60)]
    return PointingCorpus(episodes, tower.token_ids)


def begin(corpus: PointingCorpus, tower: TextTower, path: Path, steps: int) -> PointerTraining:
    torch.manual_seed(1)
    words = tower.words
    pointer = Pointer(words, width=32, heads=2, blocks=1)
    rare = RarePieces(corpus.files, tower.tokenizer.vocab_size)
    plan = PointingPlan(steps=steps, questions=16, warmup=2, learning_rate=3e-3)
    return PointerTraining(corpus, rare, pointer, plan, path, lambda _: None)


@pytest.mark.parametrize(
    ("wanted", "pieces", "places"),
    [
        ([5, 6], [1, 5, 6, 2], [1, 2]),
        ([5], [5, 1, 5], [0, 2]),
        ([5, 5], [5, 5, 5], [0, 1, 2]),
        ([7], [1, 2], []),
        ([], [1], []),
        ([1, 2, 3], [1, 2], []),
    ],
)
def test_places_of_a_phrase(wanted: list[int], pieces: list[int], places: list[int]) -> None:
    assert places_of(wanted, pieces) == places


def test_places_are_in_the_fact_that_is_asked_about(tower: TextTower) -> None:
    """The same word in another fact of the file is not what is asked for."""
    facts = tuple(
        Fact("any", f"{name} has a red ball.", (Question(f"What has {name}?", (answer,)),), (name,))
        for name, answer in (("Anna", "a ball"), ("Ben", "red ball"))
    )
    episode = EpisodeSample(" ".join(fact.statement for fact in facts), facts)
    first, second = pointed_facts(episode, tower.token_ids)
    assert first.places == ()  # "a ball" is nowhere, "a red ball" is
    pieces = tower.token_ids(episode.text)
    half = len(tower.token_ids(facts[0].statement))
    assert [pieces[place] for place in second.places] == [*tower.token_ids("red ball")]
    assert min(second.places) >= half


def test_questions_are_drawn_with_the_words_of_their_answers(corpus: PointingCorpus) -> None:
    drawn = corpus.draw(random.Random(0), 400)
    assert drawn == corpus.draw(random.Random(0), 400)
    assert all(place < len(row.memory) for row in drawn for place in row.places)
    foreign = sum(not row.places for row in drawn) / len(drawn)
    assert foreign == pytest.approx(FOREIGN, abs=0.05)
    assert all(row.places for row in corpus.every())


def test_a_cut_training_goes_on_as_if_it_had_not_been(
    corpus: PointingCorpus, tower: TextTower, tmp_path: Path
) -> None:
    whole = begin(corpus, tower, tmp_path / "whole.pt", 6)
    whole.run()
    begin(corpus, tower, tmp_path / "cut.pt", 3).run()
    resumed = begin(corpus, tower, tmp_path / "cut.pt", 6)
    assert resumed.step == 3
    resumed.run()
    assert whole.step == resumed.step == 6


def test_it_learns(corpus: PointingCorpus, tower: TextTower, tmp_path: Path) -> None:
    training = begin(corpus, tower, tmp_path / "it.pt", 40)

    def loss() -> float:
        rows = corpus.every()[:48]
        with torch.no_grad():
            logits, wanted = pointed(training.pointer, rows)
        asked = logits.log_softmax(-1) * wanted
        return -float(asked.sum() / wanted.sum())

    before = loss()
    training.run()
    assert loss() < 0.9 * before
