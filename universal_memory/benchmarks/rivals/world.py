"""What the rivals remember and are asked: the same questions whatever the number of memories.

Asked episodes are filled up with distractors of the same words, none of which answers a question as
well. Where there are fewer memories than questions, the questions are shared out among several
worlds of that size.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray

from universal_memory.benchmarks.recall import askable_families
from universal_memory.benchmarks.rivals.filing import Filing
from universal_memory.benchmarks.rivals.rival import Asked, Parts
from universal_memory.training.ambiguity import Ambiguity
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample, SubjectRegister
from universal_memory.training.retrieval_corpus import generate

SPARE = 1.1  # of the distractors that are made, since some could answer a question
TRIES = 20  # times as many episodes as are wanted, to find those that hold all their facts


@dataclass(frozen=True)
class World:
    """`texts`: one a memory, the oldest first. `root`: an own folder, not made yet."""

    texts: tuple[str, ...]
    asked: tuple[Asked, ...]
    parts: Parts = field(repr=False)
    root: Path

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """MiniLM vectors of the texts: float32 [texts, 384]. Raises NotRunError for too many."""
        return self.parts.vectors.of(self.texts)

    @cached_property
    def filing(self) -> Filing:
        """The memories as files and passports."""
        return Filing(self.parts.answerer, self.texts, self.root / "store")

    def close(self) -> None:
        """Close the store, if there is one."""
        if "filing" in self.__dict__:
            self.filing.store.close()


class Episodes:
    """The asked episodes of one seed, and as many distractors as the largest world needs."""

    def __init__(self, questions: int, facts: int, most: int, split: str, seed: int) -> None:
        self.seed = seed
        self.asked = _asked(questions, facts, split, seed)
        wanted = max(0, most - 1)
        made = generate(seed + 1, split, round(SPARE * wanted) + 1)
        ambiguity = Ambiguity([*self.asked, *made])
        rivals: set[int] = set()
        for number, episode in enumerate(self.asked):
            rivals |= ambiguity.rivals(number, episode.facts[0])
        others = [one for row, one in enumerate(made, len(self.asked)) if row not in rivals]
        if len(others) < wanted:
            raise ValueError(
                f"only {len(others):,} distractors of {wanted:,} answer no question of split"
                f" {split}: ask for fewer memories"
            )
        self.distractors = others

    def worlds(self, size: int, parts: Parts) -> list[World]:
        """Worlds of `size` memories each, in which every question is asked once."""
        worlds = []
        for start in range(0, len(self.asked), size):
            chosen = self.asked[start : start + size]
            texts = [one.text for one in (*chosen, *self.distractors[: size - len(chosen)])]
            order = list(range(size))
            Random(f"{self.seed} {size} {start}").shuffle(order)
            place = {number: row for row, number in enumerate(order)}
            asked = tuple(
                Asked(question.text, question.answers, place[number])
                for number, episode in enumerate(chosen)
                for question in episode.facts[0].questions[:1]
            )
            root = parts.scratch / f"{size}-{start}"
            worlds.append(World(tuple(texts[number] for number in order), asked, parts, root))
        return worlds


def _asked(questions: int, facts: int, split: str, seed: int) -> list[EpisodeSample]:
    """Episodes of `facts` facts, no two of which answer one question; the first fact is asked."""
    generator = EpisodeGenerator(seed, split, families=askable_families(split))
    register = SubjectRegister()
    drawn = (generator.episode(facts, register) for _ in range(TRIES * questions))
    episodes = [*islice((one for one in drawn if len(one.facts) == facts), questions)]
    if len(episodes) < questions:
        raise ValueError(f"no {questions} episodes of {facts} facts in split {split}: ask fewer")
    return episodes
