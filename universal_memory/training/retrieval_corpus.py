"""Files and questions that passports and router are trained on, as word pieces.

A passport is made of the word pieces that the space's reader finds in a USV, and of nothing else,
so training takes them from the text: no tower and no encoder run, and a step takes a fifth of a
second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.routing.pieces import Lists
from universal_memory.routing.question import MAX_PIECES
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.training.ambiguity import Ambiguity
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample
from universal_memory.training.rare_pieces import RarePieces, misread

Tokenise = Callable[[str], Sequence[int]]

FACTS, FACTS_SHARES = range(1, 7), (8, 3, 3, 1, 1, 1)  # of a file that is in no group
GROUP = 4  # near-duplicates: one family, some words in common
FAMILIES, SHARING = 8, 3  # of a batch: families; files that share a piece with another one


def generate(seed: int, split: str, count: int, duplicates: float = 0.5) -> list[EpisodeSample]:
    """`count` files; of them the share `duplicates` in groups of near-duplicates, side by side."""
    generator, random = EpisodeGenerator(seed, split), Random(f"{seed} files")
    episodes: list[EpisodeSample] = []
    group = duplicates / (duplicates + GROUP * (1 - duplicates))
    while len(episodes) < count:
        if random.random() < group:
            episodes += generator.group(GROUP)
        else:
            episodes.append(generator.episode(random.choices(FACTS, FACTS_SHARES)[0]))
    return episodes[:count]


@dataclass(frozen=True)
class AskedFact:
    """Wordings of one question as word pieces, and the other files it could mean."""

    wordings: tuple[tuple[int, ...], ...]
    rivals: NDArray[np.int64]


@dataclass(frozen=True)
class RetrievalBatch:
    """`right` int64 [questions]: the file each asks for; `rivals` bool [questions, files]."""

    files: Lists
    questions: Lists
    right: torch.Tensor
    rivals: torch.Tensor


class RetrievalCorpus:
    """Files of one split, to draw batches from. Same seed, same corpus."""

    def __init__(
        self, tokenise: Tokenise, vocabulary: int, seed: int, split: str, count: int
    ) -> None:
        episodes = generate(seed, split, count)
        ambiguity = Ambiguity(episodes)
        self.files = [[*tokenise(one.text)[: SEATS * SLOTS]] for one in episodes]
        self.facts = [
            [
                AskedFact(
                    tuple(tuple(tokenise(asked.text)[:MAX_PIECES]) for asked in fact.questions),
                    np.fromiter(sorted(ambiguity.rivals(number, fact)), np.int64),
                )
                for fact in episode.facts
            ]
            for number, episode in enumerate(episodes)
        ]
        families: dict[str, list[int]] = {}
        for number, episode in enumerate(episodes):
            families.setdefault(episode.facts[0].family, []).append(number)
        self.families = list(families.values())
        self.rare = RarePieces(self.files, vocabulary)
        self._holding: dict[int, list[int]] = {piece: [] for piece in self.rare.ids.tolist()}
        for number, pieces in enumerate(self.files):
            for piece in set(pieces) & self._holding.keys():
                self._holding[piece].append(number)

    def batch(self, random: Random, size: int, per_file: int) -> RetrievalBatch:
        """About `size` files, and up to `per_file` questions each."""
        chosen = self._choose(random, size)
        place = {file: row for row, file in enumerate(chosen)}
        questions: list[tuple[int, ...]] = []
        right: list[int] = []
        rivals: list[tuple[int, int]] = []
        for row, file in enumerate(chosen):
            facts = self.facts[file]
            for fact in random.sample(facts, min(per_file, len(facts))):
                also = (place[one] for one in fact.rivals.tolist() if one in place)
                rivals += [(len(questions), other) for other in also]
                questions.append(random.choice(fact.wordings))
                right.append(row)
        masked = torch.zeros(len(questions), len(chosen), dtype=torch.bool)
        if rivals:
            masked[tuple(torch.tensor(rivals).T)] = True
        swap = self.rare.swap(random)
        files = Lists.of([misread(self.files[file], random) for file in chosen])
        asked = Lists.of(questions)
        return RetrievalBatch(
            Lists(swap[files.ids], files.starts),
            Lists(swap[asked.ids], asked.starts),
            torch.tensor(right),
            masked,
        )

    def _choose(self, random: Random, size: int) -> list[int]:
        """Numbers of files that are easily confused.

        A quarter is of few families; a quarter shares a rare piece of a question; the others are
        neighbours, since near-duplicates lie side by side.
        """
        chosen: list[int] = []
        for family in random.sample(self.families, min(FAMILIES, len(self.families))):
            chosen += random.sample(family, min(size // (4 * FAMILIES), len(family)))
        while len(chosen) < size // 2:
            file = random.randrange(len(self.files))
            wording = random.choice(random.choice(self.facts[file]).wordings)
            named = [piece for piece in wording if piece in self._holding]
            holding = self._holding[random.choice(named)] if named else []
            chosen += [file, *random.sample(holding, min(SHARING, len(holding)))]
        while len(chosen) < size:
            start = random.randrange(len(self.files))
            chosen += range(start, min(start + 2, len(self.files)))
        return list(dict.fromkeys(chosen))
