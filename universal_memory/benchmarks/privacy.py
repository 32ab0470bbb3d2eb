"""Privacy: how much of a text comes back out of its memory file, and out of its passport alone.

Two attackers, neither of whom ever saw the text. One has the file and the space, whose reader is
published with it. The other has only the passport, as an index or a peer might, and what made it:
he makes passports of texts of his own, and learns the way back by ridge regression, passport to
word pieces. Half of the pieces of his texts are any of the vocabulary, so that he knows words that
no text of the training split holds. What he finds is a bag: pieces without their order. He may also
have a list of people, and ask which of them a memory is about.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from universal_memory.benchmarks.recall import Advance
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pieces import Lists
from universal_memory.space.seated import seated_pieces, text_of
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.corpora import EpisodeGenerator, Fact
from universal_memory.training.corpora.family import Family, Value
from universal_memory.training.corpora.generator import PERSON_KINDS

COPIES = 8  # of every text of the passport's attacker, all but one with other words
CHOICES = 1000  # people on his list, the right one among them
REPLACED = 0.5  # share of their pieces
RIDGE = 1e-3  # of the mean variance of a number of a passport
_BATCH = 256
_NUMBER = re.compile(r"[\w.:/-]*\d[\w.:/-]*")


@dataclass(frozen=True)
class Secret:
    """A text, and what in it somebody may want to know: as it stands in the text."""

    text: str
    names: tuple[str, ...]
    numbers: tuple[str, ...]


class _Telling(EpisodeGenerator):
    """A generator that tells who is named in the fact it made last."""

    people: tuple[str, ...] = ()

    def _fact(self, family: Family, form: str, values: dict[str, Value]) -> Fact:
        fact = super()._fact(family, form, values)
        people = [values[slot].text for slot, kind in family.slots.items() if kind in PERSON_KINDS]
        self.people = tuple(name for name in people if _stands_in(name, fact.statement))
        return fact


def secrets(count: int, split: str, seed: int) -> list[Secret]:
    """Texts of one fact with the names in their person slots and all that has a digit in it."""
    generator = _Telling(seed, split)
    found = []
    for _ in range(count):
        text = generator.episode(1).text
        numbers = tuple(number.rstrip(".:-/") for number in _NUMBER.findall(text))
        found.append(Secret(text, generator.people, numbers))
    return found


def _people(split: str, seed: int) -> list[str]:
    """As many different names as are on the attacker's list."""
    generator, found = _Telling(seed, split), dict[str, None]()
    while len(found) < CHOICES:
        generator.episode(1)
        found.update(dict.fromkeys(generator.people))
    return list(found)[:CHOICES]


def privacy(
    space: SemanticSpace,
    passports: PassportEncoder,
    texts: int,
    split: str,
    seed: int,
    training: int,
    advance: Advance,
) -> dict[str, Any]:
    """Rows of shares recovered of names, numbers, word pieces and whole texts.

    `training`: episodes that the passport's attacker makes his passports of.
    """
    told = secrets(texts, split, seed)
    pieces = [list(space.tower.token_ids(secret.text)) for secret in told]
    usv = np.concatenate([space.encode([secret.text]) for secret in told])
    read = [text_of(seated_pieces(space, one)) for one in usv]
    attacker = PassportAttacker.trained(space, passports, seed + 1, training, advance)
    given = torch.from_numpy(passports.passports(usv))
    guesses = attacker.guesses(given, pieces)
    people = _people(split, seed + 2)
    frequent = [attacker.frequent(len(set(one))) for one in pieces]
    told_words = [word for secret in told for word in (*secret.names, *secret.numbers)]
    spelled = {word: space.tower.token_ids(word) for word in (*told_words, *people)}

    def chosen(offered: Tensor) -> float:
        """Share of the names that the attacker picks out of his list."""
        return _share(
            [
                attacker.pick(passport, [spelled[one] for one in (*others, name)]) == len(others)
                for secret, passport in zip(told, offered, strict=True)
                for others in ([one for one in people if one not in secret.names][: CHOICES - 1],)
                for name in secret.names
            ]
        )

    rows = [
        {"attacker": "the file, by the reader of the space", **_as_written(told, read)},
        {"attacker": "control: the file of another text", **_as_written(told, _next(read))},
        {
            "attacker": "the passport, by regression",
            **_as_bags(told, pieces, guesses, spelled),
            "chosen": chosen(given),
        },
        {
            "attacker": "control: the passport of another text",
            **_as_bags(told, pieces, _next(guesses), spelled),
            "chosen": chosen(given.roll(-1, 0)),
        },
        {
            "attacker": "control: the most frequent word pieces",
            **_as_bags(told, pieces, frequent, spelled),
        },
    ]
    return {
        "texts": len(told),
        "names": sum(len(secret.names) for secret in told),
        "numbers": sum(len(secret.numbers) for secret in told),
        "split": split,
        "seed": seed,
        "training": training,
        "choices": CHOICES,
        "rows": rows,
    }


class PassportAttacker:
    """Passports to the word pieces that speak through them most.

    `weights` [vocabulary, 1024]; `spread` [vocabulary]: of what they say of texts in general;
    `counts` [vocabulary]: texts that hold a piece.
    """

    def __init__(self, weights: Tensor, mean: Tensor, spread: Tensor, counts: Tensor) -> None:
        self._weights, self._mean = weights, mean
        self._spread, self._counts = spread, counts

    @classmethod
    @torch.inference_mode()
    def trained(
        cls,
        space: SemanticSpace,
        passports: PassportEncoder,
        seed: int,
        episodes: int,
        advance: Advance,
    ) -> PassportAttacker:
        """Ridge regression on passports of texts of the training split."""
        generator, random = EpisodeGenerator(seed, "train"), np.random.default_rng(seed)
        vocabulary = space.tower.codes.pieces
        words = np.array([i for i, piece in enumerate(vocabulary) if not piece.startswith("[")])
        width = passports.head.linear.out_features
        covariance, total = torch.zeros(width, width), torch.zeros(width)
        sums, counts = torch.zeros(len(vocabulary), width), torch.zeros(len(vocabulary))
        for done in range(0, episodes, _BATCH):
            part = [
                np.array(space.tower.token_ids(generator.episode(1).text))
                for _ in range(min(_BATCH, episodes - done))
            ]
            for copy in range(COPIES):
                share = REPLACED if copy else 0.0
                lists = [_replaced(pieces, words, share, random) for pieces in part]
                made = passports.of_pieces(Lists.of(lists))
                covariance += made.T @ made
                total += made.sum(0)
                rows = torch.tensor([row for row, one in enumerate(lists) for _ in set(one)])
                ids = torch.tensor([piece for one in lists for piece in set(one)])
                sums.index_add_(0, ids, made[rows])
                counts.index_add_(0, ids, torch.ones(len(ids)))
            advance("learning", min(done + _BATCH, episodes), episodes)
        number = episodes * COPIES
        mean = total / number
        covariance -= number * torch.outer(mean, mean)
        sums -= torch.outer(counts, mean)
        ridge = RIDGE * covariance.diagonal().mean() * torch.eye(width)
        weights = torch.linalg.solve(covariance + ridge, sums.T).T
        spread = ((weights @ covariance) * weights).sum(1).div(number).clamp_min(1e-12).sqrt()
        return cls(weights, mean, spread, counts)

    @torch.inference_mode()
    def guesses(self, passports: Tensor, pieces: Sequence[Sequence[int]]) -> list[set[int]]:
        """As many different pieces as each text has: the number is no secret, passports tell it."""
        scores = (passports - self._mean) @ self._weights.T
        return [
            set(row.topk(len(set(one))).indices.tolist())
            for row, one in zip(scores, pieces, strict=True)
        ]

    @torch.inference_mode()
    def pick(self, passport: Tensor, names: Sequence[Sequence[int]]) -> int:
        """Which of some names, in word pieces, speaks through a passport most."""
        # A piece counts for its name from one standard deviation on, and against it below.
        levels = (self._weights @ (passport - self._mean)) / self._spread - 1.0
        lists = Lists.of(names)
        return int(
            F.embedding_bag(lists.ids, levels[:, None], lists.starts, mode="sum").argmax()
        )

    def frequent(self, count: int) -> set[int]:
        """The most frequent pieces of the training texts."""
        return set(self._counts.topk(count).indices.tolist())


def _replaced(pieces: Any, words: Any, share: float, random: np.random.Generator) -> list[int]:
    chosen = random.random(len(pieces)) < share
    return list(np.where(chosen, random.choice(words, len(pieces)), pieces).tolist())


def _as_written(told: Sequence[Secret], read: Sequence[str]) -> dict[str, float]:
    """Shares that stand in what was read, letter for letter, capitals included."""
    both = list(zip(told, read, strict=True))
    words = [
        np.mean([_stands_in(word, text) for word in set(secret.text.split())])
        for secret, text in both
    ]
    return {
        "names": _share([_stands_in(name, text) for one, text in both for name in one.names]),
        "numbers": _share([_stands_in(code, text) for one, text in both for code in one.numbers]),
        "words": float(np.mean(words)),
        "texts": _share([secret.text == text for secret, text in both]),
    }


def _as_bags(
    told: Sequence[Secret],
    pieces: Sequence[Sequence[int]],
    guesses: Sequence[set[int]],
    spelled: dict[str, tuple[int, ...]],
) -> dict[str, float]:
    """Shares of which every word piece was guessed, in whatever order."""
    wanted = [set(one) for one in pieces]
    both = list(zip(told, wanted, guesses, strict=True))

    def guessed(words: str) -> float:
        return _share(
            [
                bag.issuperset(spelled[word])
                for secret, _, bag in both
                for word in getattr(secret, words)
            ]
        )

    return {
        "names": guessed("names"),
        "numbers": guessed("numbers"),
        "words": float(np.mean([len(one & bag) / len(one) for _, one, bag in both])),
        "texts": _share([one <= bag for _, one, bag in both]),
    }


def _next(rows: Sequence[Any]) -> list[Any]:
    return [*rows[1:], rows[0]]


def _share(found: Sequence[bool]) -> float:
    return float(np.mean(found)) if found else 0.0


def _stands_in(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
