"""Privacy: how much of a text comes back out of its memory file, and out of its passport alone.

Two attackers, neither of whom ever saw the text. One has the file and the space, whose reader is
published with it. The other has only the passport, as an index or a peer might, and what made it:
he makes passports of texts of his own, and learns the way back by ridge regression, passport to
word pieces. Half of the pieces of his texts are any of the vocabulary, so that he knows words that
no text of the training split holds. What he finds is a bag: pieces without their order.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from universal_memory.benchmarks.recall import Advance
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pieces import Lists
from universal_memory.space.seated import seated_pieces, text_of
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.corpora import EpisodeGenerator, Fact
from universal_memory.training.corpora.family import Family, Value
from universal_memory.training.corpora.generator import PERSON_KINDS

COPIES = 8  # of every text of the passport's attacker, all but one with other words
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
    guesses = attacker.guesses(torch.from_numpy(passports.passports(usv)), pieces)
    frequent = [attacker.frequent(len(set(one))) for one in pieces]
    spelled = {
        word: frozenset(space.tower.token_ids(word))
        for secret in told
        for word in (*secret.names, *secret.numbers)
    }
    rows = [
        {"attacker": "the file, by the reader of the space", **_as_written(told, read)},
        {"attacker": "control: the file of another text", **_as_written(told, _next(read))},
        {"attacker": "the passport, by regression", **_as_bags(told, pieces, guesses, spelled)},
        {
            "attacker": "control: the passport of another text",
            **_as_bags(told, pieces, _next(guesses), spelled),
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
        "rows": rows,
    }


class PassportAttacker:
    """Passports to the word pieces that speak through them most. `weights` [vocabulary, 1024]."""

    def __init__(self, weights: Tensor, mean: Tensor, counts: Tensor) -> None:
        self._weights, self._mean, self._counts = weights, mean, counts

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
        return cls(torch.linalg.solve(covariance + ridge, sums.T).T, mean, counts)

    @torch.inference_mode()
    def guesses(self, passports: Tensor, pieces: Sequence[Sequence[int]]) -> list[set[int]]:
        """As many different pieces as each text has: the number is no secret, passports tell it."""
        scores = (passports - self._mean) @ self._weights.T
        return [
            set(row.topk(len(set(one))).indices.tolist())
            for row, one in zip(scores, pieces, strict=True)
        ]

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
    spelled: dict[str, frozenset[int]],
) -> dict[str, float]:
    """Shares of which every word piece was guessed, in whatever order."""
    both = list(zip(told, guesses, strict=True))
    wanted = [set(one) for one in pieces]
    return {
        "names": _share([spelled[name] <= bag for one, bag in both for name in one.names]),
        "numbers": _share([spelled[code] <= bag for one, bag in both for code in one.numbers]),
        "words": float(
            np.mean([len(one & bag) / len(one) for one, bag in zip(wanted, guesses, strict=True)])
        ),
        "texts": _share([one <= bag for one, bag in zip(wanted, guesses, strict=True)]),
    }


def _next(rows: Sequence[Any]) -> list[Any]:
    return [*rows[1:], rows[0]]


def _share(found: Sequence[bool]) -> float:
    return float(np.mean(found)) if found else 0.0


def _stands_in(word: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None
