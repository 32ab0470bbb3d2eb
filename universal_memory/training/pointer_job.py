"""The whole training of the pointer, and its scores on what it was not trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import torch

from universal_memory.routing.pointer import WEIGHTS, Pointer
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.model_card import start_of, write_model_card
from universal_memory.training.pointing import (
    PointerTraining,
    PointingCorpus,
    PointingPlan,
    pointed,
)
from universal_memory.training.rare_pieces import RarePieces
from universal_memory.training.retrieval_corpus import generate
from universal_memory.weights import load_weights, save_weights

Report = Callable[[dict[str, Any]], None]
CHECKPOINT = "checkpoint.pt"
TRIAL_EPISODES, TRIAL_SEED = 300, 79
PURPOSE = "Word pieces of a question and of a memory to the words of the memory that are asked for."
DATA = (
    "Synthetic episodes of universal_memory/training/corpora, as word pieces; in every batch rare"
    " pieces are swapped for any of the vocabulary, so that every piece learns to meet itself."
    " Scores: the likeliest word is of the answer (whole: every word of the answer is likelier than"
    " any other), on new episodes of trained words (new_combinations), of words of no training text"
    " (held_out), and of families of no training text (unseen_families); one or three facts a file."
)
TRIALS = ("new_combinations", "held_out", "unseen_families")
_BATCH = 128


def train_pointer(
    run: Path,
    minutes: float,
    steps: int,
    files: int,
    seed: int,
    report: Report,
    out: Path,
    start: Path | None = None,
) -> dict[str, Any]:
    """The pointer over the space of the models folder, into models folder `out`.

    It goes on from the one of a models folder `start`, if one is given. Returns what is in its
    card.
    """
    torch.manual_seed(seed)
    space = SemanticSpace.load()
    report({"event": "preparing", "files": files})
    corpus = PointingCorpus(generate(seed, "train", files), space.tower.token_ids)
    rare = RarePieces(corpus.files, len(space.reader.codes))
    pointer = Pointer.over(space)
    plan = PointingPlan(minutes=minutes, steps=steps, seed=seed)
    if start is not None:
        load_weights(start / WEIGHTS, pointer, space.space_id)
        plan = replace(plan, learning_rate=0.5 * plan.learning_rate)
    training = PointerTraining(corpus, rare, pointer, plan, run / CHECKPOINT, report)
    training.run()
    card: dict[str, Any] = {
        "command": "ump train pointer",
        "space_id": space.space_id,
        "seed": seed,
        "files": files,
        "steps": training.step,
        "minutes": training.seconds / 60,
        "scores": scores(pointer.eval(), space),
    }
    if start is not None:
        card["start"] = start_of(start / WEIGHTS)
    save_weights(out / WEIGHTS, pointer, card)
    write_model_card((out / WEIGHTS).parent, "Pointer", PURPOSE, card, DATA)
    report({"event": "written", **card["scores"]})
    return card


@torch.inference_mode()
def scores(pointer: Pointer, space: SemanticSpace) -> dict[str, float]:
    """Share of new questions whose likeliest word is of the answer, by split and facts a file.

    `whole`: every word of the answer is likelier than any other.
    """
    found: dict[str, float] = {}
    for split in TRIALS:
        for facts in (1, 3):
            generator = EpisodeGenerator(TRIAL_SEED, split)
            episodes = [generator.episode(facts) for _ in range(TRIAL_EPISODES)]
            rows = PointingCorpus(episodes, space.tower.token_ids).every()
            first: list[bool] = []
            whole: list[bool] = []
            for start in range(0, len(rows), _BATCH):
                logits, wanted = pointed(pointer, rows[start : start + _BATCH])
                asked = wanted > 0
                least = logits.masked_fill(~asked, inf).amin(1)
                best_other = logits.masked_fill(asked, -inf).amax(1)
                first += asked.gather(1, logits.argmax(1, keepdim=True)).flatten().tolist()
                whole += (least > best_other).tolist()
            found[f"{split}_{facts}"] = sum(first) / len(first)
            found[f"{split}_{facts}_whole"] = sum(whole) / len(whole)
    return found
