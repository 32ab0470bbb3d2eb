"""The whole training of passports, router and reranker, and the fit of the relevance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from universal_memory.resources import models_dir
from universal_memory.routing.calibration import Calibration
from universal_memory.routing.passport import ROUTER_WEIGHTS, PassportEncoder
from universal_memory.routing.passport import WEIGHTS as PASSPORT_WEIGHTS
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.reranker import Reranker
from universal_memory.routing.router import RERANKER_WEIGHTS, Router
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.ambiguity import Ambiguity
from universal_memory.training.corpora import EpisodeSample
from universal_memory.training.model_card import start_of, write_model_card
from universal_memory.training.read_corpus import read_back
from universal_memory.training.reranking import RerankerTraining, RerankingPlan
from universal_memory.training.retrieval import RetrievalPlan, RetrievalTraining, start
from universal_memory.training.retrieval_corpus import RetrievalCorpus, generate
from universal_memory.training.routing_trial import (
    TrialQuestion,
    Verdict,
    calibrate,
    exact,
    judge,
    passports_of,
    scores,
    unambiguous,
)
from universal_memory.training.shortlists import shortlists
from universal_memory.training.timed_training import TimedTraining
from universal_memory.weights import digest, load_weights, save_weights

Report = Callable[[dict[str, Any]], None]
CHECKPOINT = "checkpoint.pt"
CALIBRATION_FILES = 8192
CALIBRATION_SEED = 77
STORES = (64, 1024, 8192)  # files in the stores that relevance is fitted on
WRONG = 24  # files found for a question of the reranker's training
DATA = (
    "Synthetic episodes of universal_memory/training/corpora, as word pieces; the same files come"
    " again and again, each time with other rare pieces swapped for any of the vocabulary, so that"
    " every piece learns to meet itself. Relevance is fitted, and the scores are, on files of no"
    " training text: half of new combinations of trained words, half of words of no training text."
)


def train_router(
    run: Path, minutes: float, steps: int, files: int, seed: int, report: Report
) -> None:
    """Passports and router over the space of the models folder, into that folder."""
    torch.manual_seed(seed)
    space = SemanticSpace.load()
    vocabulary = len(space.reader.codes)
    questions = QuestionEncoder(vocabulary)
    passports = PassportEncoder(space.reader, questions.pieces)
    questions.pieces.start_from_words(space.tower.words)
    report({"event": "preparing", "files": files})
    corpus = RetrievalCorpus(space.tower.token_ids, vocabulary, seed, "train", files)
    start(passports, questions, corpus)
    plan = RetrievalPlan(minutes=minutes, steps=steps, seed=seed)
    training = RetrievalTraining(corpus, passports, questions, plan, run / CHECKPOINT, report)
    training.run()
    card = _card("router", space, training, files, seed)
    save_weights(models_dir() / PASSPORT_WEIGHTS, passports, card)
    save_weights(models_dir() / ROUTER_WEIGHTS, questions, card)


def train_reranker(
    run: Path,
    minutes: float,
    steps: int,
    files: int,
    seed: int,
    report: Report,
    start: Path | None = None,
) -> None:
    """A reranker over the router of the models folder, and the relevance; into that folder.

    It goes on from the reranker of a models folder `start`, if one is given.
    """
    torch.manual_seed(seed)
    space = SemanticSpace.load()
    vocabulary = len(space.reader.codes)
    questions = QuestionEncoder(vocabulary)
    load_weights(models_dir() / ROUTER_WEIGHTS, questions, space.space_id)
    passports = PassportEncoder.load(space, pieces=questions.pieces)
    report({"event": "preparing", "files": files})
    # Files that the router was not trained on: it must not be surer here than it will be.
    corpus = RetrievalCorpus(space.tower.token_ids, vocabulary, seed + 1, "train", files)
    found = shortlists(corpus, passports, questions, WRONG, seed, report)
    reranker = Reranker(questions.pieces)
    plan = RerankingPlan(minutes=minutes, steps=steps, seed=seed)
    if start is not None:
        load_weights(start / RERANKER_WEIGHTS, reranker, space.space_id)
        plan = replace(plan, learning_rate=0.5 * plan.learning_rate)
    training = RerankerTraining(corpus, found, reranker, plan, run / CHECKPOINT, report)
    training.run()
    figures = calibrated(space, passports, questions.eval(), reranker.eval(), report)
    card = {
        **_card("reranker", space, training, files, seed),
        "router": digest(questions),
        **figures,
    }
    if start is not None:
        card["start"] = start_of(start / RERANKER_WEIGHTS)
    save_weights(models_dir() / RERANKER_WEIGHTS, reranker, card)
    purpose = (
        "Passport encoder (of what the space's reader finds in a USV) and router (of the word"
        " pieces of a question), trained together (`ump train router`); then the reranker, of the"
        " word pieces of both, on what they find."
    )
    write_model_card((models_dir() / ROUTER_WEIGHTS).parent, "Router", purpose, card, DATA)
    report({"event": "written", **figures})


def _card(
    what: str, space: SemanticSpace, training: TimedTraining, files: int, seed: int
) -> dict[str, Any]:
    return {
        "command": f"ump train {what}",
        "space_id": space.space_id,
        "seed": seed,
        "files": files,
        "steps": training.step,
        "minutes": training.seconds / 60,
    }


@torch.no_grad()
def calibrated(
    space: SemanticSpace,
    passports: PassportEncoder,
    questions: QuestionEncoder,
    reranker: Reranker,
    report: Report,
) -> dict[str, Any]:
    """Calibration of the relevance, and scores, on files of no training text.

    Half of them are of new words; a third of the questions is put to stores of each of STORES.
    """
    episodes, asked, read = trial_files(space, report)
    router = Router(space.tower.token_ids, questions, reranker, Calibration())
    every = passports_of(passports, read)
    drawn = np.random.default_rng(CALIBRATION_SEED)
    whole = exact(every)
    verdicts: list[Verdict] = []
    sizes: list[int] = []
    for number, one in enumerate(asked):  # a robot's store may be small or large
        size = STORES[number // 2 % len(STORES)]
        others = drawn.choice(len(every), min(size, len(every)), replace=False)
        small = exact(every, np.union1d(others, [one.file]))
        search = whole if size >= len(every) else small
        verdicts.append(judge(router, router.ask(one.text), one.file, search, read))
        sizes.append(size)
    calibration = calibrate(verdicts, asked)
    figures: dict[str, Any] = vars(calibration) | {"calibration_files": len(episodes)}
    for size in STORES:
        rows = [number for number, found in enumerate(sizes) if found == size]
        part = scores(
            [verdicts[row].calibrated(calibration) for row in rows], [asked[row] for row in rows]
        )
        part.pop("reliability")
        figures |= {f"{name}_{size}": value for name, value in part.items()}
    return figures


def trial_files(
    space: SemanticSpace, report: Report
) -> tuple[list[EpisodeSample], list[TrialQuestion], list[list[int]]]:
    """Files of no training text, half of them of new words; questions; what is read of the files.

    None of them is in `ump bench routing`.
    """
    episodes: list[EpisodeSample] = []
    for split in ("new_combinations", "held_out"):
        episodes += generate(CALIBRATION_SEED, split, CALIBRATION_FILES // 2)
    read = read_back(
        space, [one.text for one in episodes],
        lambda stage, done, total: report({"event": stage, "done": done, "total": total}),
    )  # fmt: skip
    asked, _ = unambiguous(
        episodes, Ambiguity(episodes), range(len(episodes)), len(episodes), CALIBRATION_SEED
    )
    return episodes, asked, read
