"""Pairs of files, and whether one contradicts the other, to train and measure supersession on.

The pairs are those that a robot would look at: the files whose passports are nearest. Most of them
do not contradict each other: they say the same of others, something else of the same, the same in
other words, or what holds together with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pieces import Lists
from universal_memory.training.corpora import EpisodeGenerator, EpisodeSample, Fact
from universal_memory.training.corpora.families import FAMILIES
from universal_memory.training.corpora.updating import TOGETHER, differ, now, thing_of, updates
from universal_memory.training.corpora.vocabulary import content_words
from universal_memory.training.mixed_precision import fast_bfloat16

NEAR = 10  # files that are looked at for each
UPDATES, HOLDING, GROUPS, COUPLES = 0.45, 0.2, 0.2, 0.07  # of what is drawn; the rest: episodes
GROUP = 4
FACTS, FACTS_SHARES = (1, 2, 3), (6, 3, 1)
JOINED = 0.12  # of the files of one fact: another fact stands beside it
SAID_NOW = 0.08  # of the files: "now" alone is no contradiction
_BLOCK = 512


def generate_changes(seed: int, split: str, count: int) -> list[EpisodeSample]:
    """`count` files of things that change, in the midst of others that are like them."""
    generator, random = EpisodeGenerator(seed, split), Random(f"{seed} changes")
    found: list[EpisodeSample] = []
    while len(found) < count:
        share = random.random()
        if share < UPDATES + HOLDING:
            drawn = list(generator.update(together=share > UPDATES))
        elif share < UPDATES + HOLDING + GROUPS:
            drawn = generator.group(GROUP)
        elif share < UPDATES + HOLDING + GROUPS + COUPLES:
            drawn = list(generator.couple()[:2])
        else:
            drawn = [generator.episode(random.choices(FACTS, FACTS_SHARES)[0])]
        for one in drawn:
            if random.random() < SAID_NOW and not one.text.startswith("Now "):
                one = EpisodeSample(now(one.text), one.facts)
            if len(one.facts) == 1 and random.random() < JOINED:
                beside = generator.episode(1)
                both = [one, beside] if random.random() < 0.5 else [beside, one]
                text = " ".join(part.text for part in both)
                one = EpisodeSample(text, tuple(fact for part in both for fact in part.facts))
            found.append(one)
    return found[:count]


def contradicts(one: EpisodeSample, other: EpisodeSample) -> bool | None:
    """Whether a fact of the one puts an end to a fact of the other; None where that is unclear."""
    unclear = False
    for fact in one.facts:
        for against in other.facts:
            found = _contradicts(fact, against)
            if found:
                return True
            unclear |= found is None
    return None if unclear else False


def _contradicts(one: Fact, other: Fact) -> bool | None:
    families = FAMILIES[one.family], FAMILIES[other.family]
    if thing_of(one.family) != thing_of(other.family) and (
        not families[0].topic or families[0].topic != families[1].topic
    ):
        return False
    subjects = content_words(" ".join(one.subject)), content_words(" ".join(other.subject))
    if not (subjects[0] <= subjects[1] or subjects[1] <= subjects[0]):
        return False
    if one.family in TOGETHER and other.family in TOGETHER:
        return False
    if subjects[0] != subjects[1] or thing_of(one.family) != thing_of(other.family):
        return None
    answers = one.questions[0].answers[0], other.questions[0].answers[0]
    if answers[0] == answers[1]:
        return False
    if not differ(*answers):
        return None
    return True if updates(one.family) and updates(other.family) else None


@dataclass(frozen=True)
class Pairs:
    """Pairs of files by number: int64 [pairs] each; `against` float32: 1 where they contradict."""

    one: Tensor
    other: Tensor
    against: Tensor


class ContradictionCorpus:
    """Files of one split and, for each, the nearest others and whether they contradict it.

    `files`: word pieces. `near`: for every file, others and 1 or 0; what is unclear is left out.
    """

    def __init__(
        self, episodes: Sequence[EpisodeSample], files: list[list[int]], passports: PassportEncoder
    ) -> None:
        self.episodes, self.files = episodes, files
        self.near: list[list[tuple[int, float]]] = []
        for number, others in enumerate(nearest_files(passports, files, NEAR)):
            judged = [(other, contradicts(episodes[number], episodes[other])) for other in others]
            self.near.append([(other, float(one)) for other, one in judged if one is not None])
        self.contradicted = [
            number for number, near in enumerate(self.near) if any(one for _, one in near)
        ]

    def pairs(self, random: Random, anchors: int, wrong: int) -> Pairs:
        """About `anchors` files, each beside one that contradicts it and up to `wrong` others."""
        files = range(len(self.files))
        chosen = random.sample(self.contradicted, min(anchors // 2, len(self.contradicted)))
        chosen += random.sample(files, min(anchors - len(chosen), len(self.files)))
        rows: list[tuple[int, int, float]] = []
        for file in chosen:
            near = self.near[file]
            against = [entry for entry in near if entry[1]]
            others = [entry for entry in near if not entry[1]]
            taken = random.sample(against, min(1, len(against)))
            taken += random.sample(others, min(wrong, len(others)))
            far = random.choice(files)
            if far != file and contradicts(self.episodes[file], self.episodes[far]) is False:
                taken.append((far, 0.0))
            rows += [(file, other, one) for other, one in taken]
        one, other, against_ = zip(*rows, strict=True)
        return Pairs(torch.tensor(one), torch.tensor(other), torch.tensor(against_))

    def every(self) -> Pairs:
        """Every file beside each of the nearest that came before it, as a robot judges them."""
        rows = [
            (file, other, one)
            for file, near in enumerate(self.near)
            for other, one in near
            if other < file
        ]
        one, other, against = zip(*rows, strict=True)
        return Pairs(torch.tensor(one), torch.tensor(other), torch.tensor(against))


@torch.no_grad()
def nearest_files(
    passports: PassportEncoder, files: Sequence[Sequence[int]], count: int
) -> list[list[int]]:
    """For every file, the numbers of the `count` others whose passports are nearest."""
    parts = [
        passports.of_pieces(Lists.of(files[start : start + _BLOCK]))
        for start in range(0, len(files), _BLOCK)
    ]
    whole = torch.cat(parts)
    whole = whole.bfloat16() if fast_bfloat16() else whole
    found: list[list[int]] = []
    for start in range(0, len(whole), _BLOCK):
        cosines = (whole[start : start + _BLOCK] @ whole.T).float()
        rows = torch.arange(len(cosines))
        cosines[rows, start + rows] = -2.0
        found += cosines.topk(min(count, len(whole) - 1), dim=1).indices.tolist()
    return found
