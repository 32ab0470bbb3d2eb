"""How much of a space other models would agree with.

Three measures of two sets of vectors of the same texts: mutual nearest neighbours (Huh et al.
2024), linear centred kernel alignment (Kornblith et al. 2019), and how well a linear map fitted on
half of the texts tells the others apart. Beside each stands the same with the pairs shuffled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from universal_memory.benchmarks.recall import Advance
from universal_memory.resources import models_dir
from universal_memory.routing.passport import PassportEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.views import MINILM, open_views
from universal_memory.weights import WeightsError

SEED = 20261201
NEIGHBOURS = 10
STRENGTH = 0.1  # of the ridge, beside the mean variance of what is mapped
SEEN_AT_ONCE = 16

Vectors = NDArray[np.float64]


@dataclass(frozen=True)
class Agreement:
    """Of two sets of vectors of the same texts; 1 is full agreement in each.

    `neighbours`: share of the ten nearest texts that are the same. `cka`: linear CKA. `there`,
    `back`: share of the unseen half of the texts that are found at first, from the first set in
    the second and the other way round.
    """

    neighbours: float
    cka: float
    there: float
    back: float

    @classmethod
    def of(cls, one: Vectors, other: Vectors) -> Agreement:
        """All measures of [texts, width] and [texts, another width]."""
        return cls(
            mutual_neighbours(one, other),
            linear_cka(one, other),
            retrieval(one, other),
            retrieval(other, one),
        )


def alignment(
    models: Sequence[str],
    texts: int,
    spaces: Sequence[Path],
    advance: Advance,
    split: str = "held_out",
) -> dict[str, Any]:
    """Agreement of the spaces of models folders (none: the usual one) with views, and of views.

    A space's passports are measured where the folder has them. Raises ValueError for too few texts.
    """
    if texts < 4 * NEIGHBOURS:
        raise ValueError(
            f"{texts} texts are too few to have {NEIGHBOURS} near ones; give 40 or more"
        )
    said = probe_texts(texts, split)
    sets: dict[str, Vectors] = {}
    for folder in spaces or [models_dir()]:
        space = SemanticSpace.load(folder)
        usvs = _in_parts(space.encode, said)
        name = f"{folder.name} ({space.space_id})"
        sets[f"USV, {name}"] = usvs.reshape(len(said), -1)
        if (passports := _passports(space, folder, usvs)) is not None:
            sets[f"passport, {name}"] = passports
    views: dict[str, Vectors] = {}
    opened = open_views([MINILM, *models], space.tower)
    for number, view in enumerate(opened):
        views[view.name] = _in_parts(view, said)
        advance("views", number + 1, len(opened))
    pairs = [(name, view) for name in sets for view in views]
    names = list(views)
    pairs += [(one, two) for at, one in enumerate(names) for two in names[at + 1 :]]
    rows = []
    order = np.random.default_rng(SEED).permutation(len(said))
    for number, (one, two) in enumerate(pairs):
        first, second = (sets | views)[one], views[two]
        rows.append({
            "of": one, "with": two,
            **vars(Agreement.of(first, second)),
            "shuffled": vars(Agreement.of(first, second[order])),
        })  # fmt: skip
        advance("agreement", number + 1, len(pairs))
    return {
        "texts": len(said),
        "split": split,
        "seed": SEED,
        "neighbours": NEIGHBOURS,
        "rows": rows,
    }


def probe_texts(count: int, split: str) -> list[str]:
    """So many different episodes of one to three facts."""
    generator = EpisodeGenerator(SEED, split)
    found: dict[str, None] = {}
    while len(found) < count:
        found[generator.episode(1 + len(found) % 3).text] = None
    return list(found)


def mutual_neighbours(one: Vectors, other: Vectors, count: int = NEIGHBOURS) -> float:
    """Mean share of a text's `count` nearest that are the same in both sets, by cosine."""
    near, beside = (_nearest(vectors, count) for vectors in (one, other))
    both = [len(set(a) & set(b)) for a, b in zip(near.tolist(), beside.tolist(), strict=True)]
    return float(np.mean(both) / count)


def linear_cka(one: Vectors, other: Vectors) -> float:
    """Linear CKA of the unbiased HSIC (Nguyen et al. 2021): neither rotation nor scale counts.

    Without the correction wide vectors of few texts agree, whatever they are of; with it, sets
    that have nothing to do with each other are at 0 or a little beside.
    """
    first, second = (vectors @ vectors.T for vectors in map(_centred, (one, other)))
    size = _hsic(first, first) * _hsic(second, second)
    return float(_hsic(first, second) / np.sqrt(size))


def _hsic(one: Vectors, other: Vectors) -> float:
    """Unbiased Hilbert-Schmidt independence criterion of two Gram matrices (Song et al. 2012)."""
    count = len(one)
    one, other = (gram - np.diag(np.diag(gram)) for gram in (one, other))
    means = one.sum() * other.sum() / ((count - 1) * (count - 2))
    crossed = one.sum(0) @ other.sum(0) * 2.0 / (count - 2)
    return float(((one * other).sum() + means - crossed) / (count * (count - 3)))


def retrieval(source: Vectors, target: Vectors) -> float:
    """Share of the second half of the texts whose target is nearest to what a ridge regression,
    fitted on the first half, makes of the source; by cosine.
    """
    half = len(source) // 2
    mean, goal = source[:half].mean(0), target[:half].mean(0)
    known, asked = source[:half] - mean, source[half:] - mean
    # There are more numbers in a vector than texts: the dual form is the small one.
    gram = known @ known.T
    ridge = STRENGTH * np.trace(gram) / half * np.eye(half)
    predicted = asked @ known.T @ np.linalg.solve(gram + ridge, target[:half] - goal)
    cosines = _unit(predicted) @ _unit(target[half:] - goal).T
    return float((cosines.argmax(1) == np.arange(len(asked))).mean())


def _passports(space: SemanticSpace, folder: Path, usvs: Vectors) -> Vectors | None:
    try:
        encoder = PassportEncoder.load(space, folder)
    except (FileNotFoundError, WeightsError):
        return None  # no router was trained over this space
    return encoder.passports(usvs.astype(np.float32)).astype(np.float64)


def _in_parts(see: Callable[[list[str]], Any], texts: list[str]) -> Vectors:
    starts = range(0, len(texts), SEEN_AT_ONCE)
    parts = [np.asarray(see(texts[at : at + SEEN_AT_ONCE]), np.float64) for at in starts]
    return np.concatenate(parts)


def _nearest(vectors: Vectors, count: int) -> NDArray[np.int64]:
    unit = _unit(_centred(vectors))
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :count]


def _centred(vectors: Vectors) -> Vectors:
    return np.asarray(vectors - vectors.mean(0))


def _unit(vectors: Vectors) -> Vectors:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True).clip(1e-12))
