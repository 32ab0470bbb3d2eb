"""Training of supersession: what changes in the corpus, the pairs, and a network that learns."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pieces import PieceNetwork
from universal_memory.routing.supersession import Supersession
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.training.contradictions import (
    ContradictionCorpus,
    contradicts,
    generate_changes,
)
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.corpora.families import FAMILIES
from universal_memory.training.corpora.updating import (
    LONG_UPDATING,
    SAME_THING,
    TOGETHER,
    UNCLEAR,
    differ,
    kin_of,
    now,
    updates,
)
from universal_memory.training.rare_pieces import RarePieces
from universal_memory.training.superseding import SupersedingPlan, SupersedingTraining, judged
from universal_memory.training.supersession_job import scored, threshold_of

FILES = 160


@pytest.fixture(scope="module")
def corpus(tower: TextTower) -> ContradictionCorpus:
    torch.manual_seed(0)
    episodes = generate_changes(3, "train", FILES)
    pieces = [[*tower.token_ids(one.text)[:64]] for one in episodes]
    passports = PassportEncoder(SlotReader(tower.codes.codes), PieceNetwork())
    return ContradictionCorpus(episodes, pieces, passports)


def begin(corpus: ContradictionCorpus, tower: TextTower, path: Path, steps: int) -> (
    SupersedingTraining
):
    torch.manual_seed(1)
    words = tower.words
    network = Supersession(words, width=32, layers=1)
    plan = SupersedingPlan(steps=steps, anchors=16, warmup=2)
    rare = RarePieces(corpus.files, tower.tokenizer.vocab_size)
    return SupersedingTraining(corpus, rare, network, plan, path, lambda _: None)


def test_named_families_exist_and_are_of_one_kind() -> None:
    named = TOGETHER | UNCLEAR | LONG_UPDATING | {name for names in SAME_THING for name in names}
    assert named <= set(FAMILIES)
    assert not TOGETHER & UNCLEAR
    for names in SAME_THING:
        assert len({len(FAMILIES[name].subject) for name in names}) == 1
        assert all(updates(name) for name in names)
        assert all(kin_of(name) == names for name in names)


@pytest.mark.parametrize("split", ["train", "held_out", "unseen_families"])
def test_an_update_says_something_else_of_the_same(split: str) -> None:
    generator = EpisodeGenerator(7, split)
    for _ in range(60):
        one, again, later = generator.update()
        assert one.facts[0].subject == again.facts[0].subject == later.facts[0].subject
        first, last = (part.facts[0].questions[0].answers[0] for part in (one, later))
        assert first == again.facts[0].questions[0].answers[0]
        assert first in one.text and last in later.text
        assert differ(first, last)
        assert contradicts(later, one) and contradicts(later, again)
        assert contradicts(again, one) is False
    for _ in range(20):
        one, _, other = generator.update(together=True)
        assert contradicts(other, one) is False


def test_the_same_seed_gives_the_same_changes() -> None:
    one, other = (EpisodeGenerator(5).update() for _ in range(2))
    assert one == other
    assert generate_changes(4, "train", 30) == generate_changes(4, "train", 30)


@pytest.mark.parametrize(
    ("one", "other", "excluded"),
    [
        ("Monday at 9:30", "Tuesday at 9:30", True),
        ("5 euros", "7 euros", True),
        ("kitchen drawer", "the drawer", False),
        ("on the shelf", "the shelf", False),
    ],
)
def test_answers_exclude_each_other_unless_one_says_more(
    one: str, other: str, excluded: bool
) -> None:
    assert differ(one, other) is excluded


def test_now_is_said_in_prose_alone() -> None:
    assert now("The keys are here.") == "Now the keys are here."
    assert now("Anna is here.") == "Now Anna is here."
    for text in ("Anna said: I am here.", "Sign reads: exit.", "Tool stop() returned state=ok."):
        assert now(text) == text


def test_pairs_are_near_and_known(corpus: ContradictionCorpus) -> None:
    assert corpus.contradicted
    pairs = corpus.pairs(random.Random(0), 24, 3)
    for one, other, against in zip(
        pairs.one.tolist(), pairs.other.tolist(), pairs.against.tolist(), strict=True
    ):
        assert one != other
        assert contradicts(corpus.episodes[one], corpus.episodes[other]) is bool(against)
    assert 0 < float(pairs.against.mean()) < 1
    every = corpus.every()
    assert bool((every.other < every.one).all())


def test_it_learns(corpus: ContradictionCorpus, tower: TextTower, tmp_path: Path) -> None:
    training = begin(corpus, tower, tmp_path / "c.pt", 50)
    before = [training.losses(random.Random(seed))[1]["loss"] for seed in range(3)]
    training.run()
    after = [training.losses(random.Random(seed))[1]["loss"] for seed in range(3)]
    assert sum(after) < 0.9 * sum(before)
    again = begin(corpus, tower, tmp_path / "c.pt", 50)  # goes on where it was: at the end
    assert (again.step, again.progress) == (50, 1.0)


def test_pairs_are_judged_in_their_order(corpus: ContradictionCorpus, tower: TextTower) -> None:
    words = tower.words
    torch.manual_seed(0)
    network = Supersession(words, width=32, layers=1).requires_grad_(False)
    pairs = corpus.pairs(random.Random(1), 12, 2)
    files = dict(enumerate(corpus.files))
    whole = judged(network, files, pairs)
    for row in (0, len(whole) - 1):
        single = type(pairs)(*(part[row : row + 1] for part in vars(pairs).values()))
        assert float(judged(network, files, single)) == pytest.approx(float(whole[row]), abs=1e-4)


def test_the_threshold_bounds_wrong_marks() -> None:
    probability = torch.linspace(0, 1, 1001)
    truth = torch.zeros(1001, dtype=torch.bool)
    threshold = threshold_of(probability, truth)
    assert threshold == pytest.approx(0.972, abs=1e-3)
    truth[-10:] = True
    found = dict(scored(probability, truth, 0.9895))
    assert (found["recall"], found["precision"]) == (1.0, pytest.approx(10 / 11))
