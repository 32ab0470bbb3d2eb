"""The whole training of supersession: pairs of files, the network, and the fit of its threshold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.supersession import THRESHOLD, WEIGHTS, Supersession
from universal_memory.space.encoder import SEATS, SLOTS
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.contradictions import ContradictionCorpus, generate_changes
from universal_memory.training.model_card import start_of
from universal_memory.training.rare_pieces import RarePieces
from universal_memory.training.read_corpus import read_back
from universal_memory.training.superseding import SupersedingPlan, SupersedingTraining, judged
from universal_memory.weights import load_weights, save_weights

Report = Callable[[dict[str, Any]], None]
CHECKPOINT = "checkpoint.pt"
TRIAL_FILES, TRIAL_SEED = 2048, 78
FITTED = ("new_combinations", "held_out")  # on these the threshold is found
TRIALS = ("train", *FITTED, "unseen_families")
WRONG_MARKS = 0.028  # of the pairs that do not contradict each other: most that may be marked


def train_supersession(
    run: Path,
    minutes: float,
    steps: int,
    files: int,
    seed: int,
    report: Report,
    out: Path,
    start: Path | None = None,
) -> dict[str, Any]:
    """The network over the space and passports of the models folder, into models folder `out`.

    It goes on from the network of a models folder `start`, if one is given. Returns what is in its
    card.
    """
    torch.manual_seed(seed)
    space = SemanticSpace.load()
    passports = PassportEncoder.load(space)
    report({"event": "preparing", "files": files})
    episodes = generate_changes(seed, "train", files)
    pieces = [[*space.tower.token_ids(one.text)[: SEATS * SLOTS]] for one in episodes]
    corpus = ContradictionCorpus(episodes, pieces, passports)
    rare = RarePieces(pieces, len(space.reader.codes))
    network = Supersession(space.tower.words)
    if start is not None:
        load_weights(start / WEIGHTS, network, space.space_id)
    plan = SupersedingPlan(minutes=minutes, steps=steps, seed=seed)
    training = SupersedingTraining(corpus, rare, network, plan, run / CHECKPOINT, report)
    training.run()
    card: dict[str, Any] = {
        "command": "ump train supersession",
        "space_id": space.space_id,
        "seed": seed,
        "files": files,
        "steps": training.step,
        "minutes": training.seconds / 60,
        **fitted(space, passports, network.eval(), report),
    }
    if start is not None:
        card["start"] = start_of(start / WEIGHTS)
    save_weights(out / WEIGHTS, network, card)
    report({"event": "written", **{name: card[name] for name in ("threshold", "scores")}})
    return card


@torch.inference_mode()
def fitted(
    space: SemanticSpace, passports: PassportEncoder, network: Supersession, report: Report
) -> dict[str, Any]:
    """The threshold, and scores at it, on files of no training text, as the reader finds them."""
    found: dict[str, tuple[Tensor, Tensor]] = {}
    for split in TRIALS:
        episodes = generate_changes(TRIAL_SEED, split, TRIAL_FILES)
        read = read_back(
            space, [one.text for one in episodes],
            lambda stage, done, total: report({"event": stage, "done": done, "total": total}),
        )  # fmt: skip
        corpus = ContradictionCorpus(episodes, read, passports)
        pairs = corpus.every()
        found[split] = judged(network, dict(enumerate(read)), pairs).sigmoid(), pairs.against > 0
    fit = [found[split] for split in FITTED]
    threshold = threshold_of(
        torch.cat([probability for probability, _ in fit]), torch.cat([truth for _, truth in fit])
    )
    scores: dict[str, float] = {}
    for split, (probability, truth) in found.items():
        scores |= {f"{split} {name}": one for name, one in scored(probability, truth, threshold)}
    return {"threshold": threshold, "scores": scores}


def threshold_of(probability: Tensor, truth: Tensor) -> float:
    """The lowest at which at most WRONG_MARKS of the pairs without contradiction are marked."""
    wrong = probability[~truth].sort(descending=True).values
    allowed = int(WRONG_MARKS * len(wrong))
    return float(wrong[min(allowed, len(wrong) - 1)]) if len(wrong) else THRESHOLD


def scored(probability: Tensor, truth: Tensor, threshold: float) -> list[tuple[str, float]]:
    """Precision, recall and wrong marks per 1,000 pairs without contradiction, at a threshold."""
    marked = probability > threshold
    right = float((marked & truth).sum())
    return [
        ("pairs", float(len(truth))),
        ("contradictions", float(truth.sum())),
        ("precision", right / max(1.0, float(marked.sum()))),
        ("recall", right / max(1.0, float(truth.sum()))),
        ("wrong marks per 1,000", 1000 * float((marked & ~truth).sum() / (~truth).sum())),
    ]
