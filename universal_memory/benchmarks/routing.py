"""Finding the right file among very many, and saying so when it is not there.

Generated files, half of them in groups of near-duplicates, three quarters of trained words and a
quarter of words that no training text held. A question is only asked where its words leave one
file to mean; it is the same for every size of the store. Two kinds of questions have no answer in
it: those whose own file is taken out while its near-duplicates stay, and strangers, about files
drawn like the others that never were in it. What is read of a file is kept in
`build/cache`, by space: encoding a hundred thousand files takes minutes.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.routing.index import IndexFileError, PassportIndex
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.router import SHORTLIST, Router
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.ambiguity import Ambiguity
from universal_memory.training.corpora import EpisodeSample
from universal_memory.training.read_corpus import read_back
from universal_memory.training.retrieval_corpus import generate
from universal_memory.training.routing_trial import (
    TrialQuestion,
    Verdict,
    exact,
    judge,
    known_from_unknown,
    passports_of,
    scores,
    unambiguous,
)

Advance = Callable[[str, int, int], None]
SPLITS = {"new_combinations": 0.75, "held_out": 0.25}  # share of the files
SEED = 20261125
CACHE = Path("build/cache/index")
COMPARED = 200  # questions whose neighbours are looked up exactly as well
WARM_UP = 20
NOWHERE = -1  # the number of no file
_BATCH = 1024


def routing(
    sizes: Sequence[int], questions: int, advance: Advance, seed: int = SEED
) -> dict[str, Any]:
    """Recall, times and calibration in stores of `sizes` files.

    `questions` of each split.
    """
    space = SemanticSpace.load()
    router = Router.load(space)
    passports = PassportEncoder.load(space, pieces=router.encoder.pieces)
    files = {
        split: generate(seed, split, round(share * max(sizes))) for split, share in SPLITS.items()
    }
    asked = {
        split: _questions(files, split, round(SPLITS[split] * min(sizes)), questions, seed)
        for split in files
    }
    strangers = {split: _strangers(files, split, questions, seed) for split in files}
    texts = [one.text for part in files.values() for one in part]
    read = read_back(space, texts, advance)
    every = passports_of(passports, read)
    starts = dict(zip(files, np.cumsum([0, *map(len, files.values())]).tolist(), strict=False))
    rows = []
    for size in sizes:
        numbers = np.concatenate(
            [starts[split] + np.arange(round(share * size)) for split, share in SPLITS.items()]
        )
        store = _Store(every, numbers, advance)
        for split, (found, askable) in asked.items():
            moved = [TrialQuestion(one.text, one.file + starts[split]) for one in found]
            figures = _row(router, store, read, moved, strangers[split], advance)
            rows.append({"files": size, "split": split, "askable": askable, **figures})
    return {
        "space_id": space.space_id,
        "seed": seed,
        "pieces_read": _pieces_read(space, texts[:: max(1, len(texts) // 2000)], texts, read),
        "rows": rows,
    }


class _Store:
    """An index over some of the passports; memory ids are their numbers."""

    def __init__(
        self, every: NDArray[np.float32], numbers: NDArray[np.int64], advance: Advance
    ) -> None:
        self.numbers = numbers
        self.passports = every[numbers]
        # The numbers too: the same files have others in a store of other sizes.
        digest = hashlib.sha256(numbers.tobytes() + self.passports.tobytes()).hexdigest()
        path = CACHE / f"{digest[:32]}.npy"
        try:
            self.index = PassportIndex.load(path)
        except IndexFileError:
            self.index = PassportIndex()
            for start in range(0, len(numbers), _BATCH):
                part = [f"{number:064x}" for number in numbers[start : start + _BATCH]]
                self.index.add(part, self.passports[start : start + _BATCH])
                advance("indexing", start + len(part), len(numbers))
            self.index.save(path)

    def search(
        self, vector: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The shortlist of a question, as `exact` gives it."""
        found = self.index.shortlist(vector, k)
        numbers = np.array([int(memory_id, 16) for memory_id, _ in found])
        return numbers, np.stack([passport for _, passport in found])

    def agreement(self, vectors: NDArray[np.float32]) -> float:
        """Share of the exact shortlists that the index finds."""
        compare = exact(self.passports)
        shared = 0
        for vector in vectors:
            near = set(self.numbers[compare(vector, SHORTLIST)[0]].tolist())
            shared += len(near & set(self.search(vector, SHORTLIST)[0].tolist()))
        return shared / (SHORTLIST * len(vectors))


def _row(
    router: Router,
    store: _Store,
    read: Sequence[list[int]],
    asked: Sequence[TrialQuestion],
    strangers: Sequence[TrialQuestion],
    advance: Advance,
) -> dict[str, Any]:
    times: dict[str, list[float]] = {
        name: [] for name in ("encode", "search", "routing", "judge", "whole")
    }
    verdicts: list[Verdict] = []

    def pieces(files: Sequence[int]) -> list[list[int]]:
        return [read[file] for file in files]

    with _one_thread():
        for one in asked[:WARM_UP]:
            judge(router, router.ask(one.text), one.file, store.search, read)
        for number, one in enumerate(asked):
            stamps = [time.perf_counter()]
            question = router.ask(one.text)
            stamps.append(time.perf_counter())
            near = store.index.shortlist(question.vector, SHORTLIST)
            stamps.append(time.perf_counter())
            numbered = [(int(memory_id, 16), passport) for memory_id, passport in near]
            router.rank(question, numbered, pieces)
            stamps.append(time.perf_counter())
            encode, search, rank = (1000 * float(one) for one in np.diff(stamps))
            times["encode"].append(encode)
            times["search"].append(search)
            times["routing"].append(encode + search)
            times["judge"].append(rank)
            times["whole"].append(encode + search + rank)
            verdicts.append(judge(router, question, one.file, store.search, read))
            if number % 100 == 99:
                advance("asking", number + 1, len(asked))
    met = [judge(router, router.ask(one.text), NOWHERE, store.search, read) for one in strangers]
    agreement = store.agreement(router.route([one.text for one in asked[:COMPARED]]))
    return {
        **scores(verdicts, asked),
        "auroc_strangers": known_from_unknown(verdicts, [one.logits[0] for one in met]),
        "index_agreement": agreement,
        "ms": {
            name: {"p50": float(np.percentile(row, 50)), "p95": float(np.percentile(row, 95))}
            for name, row in times.items()
        },
    }


def _questions(
    files: dict[str, list[EpisodeSample]], split: str, among: int, count: int, seed: int
) -> tuple[list[TrialQuestion], float]:
    """Questions about the first files of a split that no file of any split answers as well."""
    others = [one for name, part in files.items() if name != split for one in part]
    whole = [*files[split], *others]
    return unambiguous(whole, Ambiguity(whole), range(among), count, seed)


def _strangers(
    files: dict[str, list[EpisodeSample]], split: str, count: int, seed: int
) -> list[TrialQuestion]:
    """Questions about files of another stream that no file of the store answers."""
    own = generate(seed + 1, split, 2 * count)
    whole = [*own, *(one for part in files.values() for one in part)]
    return unambiguous(whole, Ambiguity(whole), range(len(own)), count, seed)[0]


def _pieces_read(
    space: SemanticSpace, sample: Sequence[str], texts: Sequence[str], read: Sequence[list[int]]
) -> float:
    """Share of the word pieces of some texts that the reader found where they are."""
    of = dict(zip(texts, read, strict=True))
    right = total = 0
    for text in sample:
        pieces = space.tower.token_ids(text)[: SEATS * SLOTS]
        total += len(pieces)
        right += sum(one == other for one, other in zip(pieces, of[text], strict=False))
    return right / total


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
