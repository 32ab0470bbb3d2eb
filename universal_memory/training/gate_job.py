"""Gates, learned end to end: the frozen model answers with the files on that the router finds.

Where and how steeply a gate falls follows the gradient of the answers' log-probability through the
fused adapter; the threshold under which files are dropped is the highest one that costs little,
neither answers from one file nor answers that need two.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from universal_memory.rendering.renderer import Renderer, renderer_weights
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.resources import models_dir
from universal_memory.routing.gates import Gates
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.router import Router
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.batches import Batch, BatchShape, make_batch
from universal_memory.training.behaviour import BehaviourTraining
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.jobs import save_renderer
from universal_memory.training.plan import TrainingPlan
from universal_memory.weights import read_card

THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
SHAPE = BatchShape(groups=1.0, couples=0.3)  # many near-duplicates to be found beside the right one
KINDS = {
    "one file": BatchShape(groups=1.0, couples=0.0),
    "two files": BatchShape(questions=0, groups=0.0, couples=2.0),  # nothing but couples
}
TOP_K = 3
FAR = 1e4  # log-odds under the best of what is not found: no gate
RATE = 0.05  # of the logarithms of what is learned, a step
LITTLE = 1.03  # loss at a threshold, against the least
TRIED = 8  # batches on which thresholds are compared

Report = Callable[[dict[str, Any]], None]


def train_gates(model: str, run: Path, steps: int, seed: int, report: Report) -> None:
    """Learn the gates of the renderer of `model` and write them into its card."""
    language_model, space = LanguageModel(model), SemanticSpace.load()
    router = Router.load(space)
    passports = PassportEncoder.load(space, pieces=router.encoder.pieces)
    embeddings = TokenEmbeddings(language_model.model)
    architecture = language_model.architecture
    renderer = Renderer.load(architecture, space.space_id, space.reader, embeddings)
    behaviour = BehaviourTraining(
        language_model,
        space.tower,
        space.encoder,
        space.reader,
        renderer,
        TrainingPlan(seed=seed),
        run / "checkpoint.pt",
        train_encoder=False,
        report=report,
        calibrated=True,
    )
    learning = GateLearning(behaviour, router, passports)
    learning.learn(steps, report)
    losses = {kind: learning.losses(THRESHOLDS, shape) for kind, shape in KINDS.items()}
    found = learning.gates(highest(losses))
    renderer.config = replace(
        renderer.config,
        gate_half=found.half,
        gate_temperature=found.temperature,
        gate_drop_below=found.drop_below,
    )
    card = read_card(models_dir() / renderer_weights(model))
    card["gates"] = f"ump train gates --model {model}, {steps} steps, seed {seed}"
    save_renderer(renderer, language_model, card)
    told = {
        f"{kind}, {threshold}": loss
        for kind, found_losses in losses.items()
        for threshold, loss in found_losses.items()
    }
    report({"event": "written", **asdict(found), **told})


def highest(losses: dict[str, dict[float, float]]) -> float:
    """The highest threshold with which no kind of question loses much.

    `losses`: kinds to thresholds to losses. Where each costs one of them much, what costs least.
    """
    cost = {
        threshold: max(one[threshold] / min(one.values()) for one in losses.values())
        for threshold in THRESHOLDS
    }
    allowed = max(LITTLE, min(cost.values()))
    return max(threshold for threshold in THRESHOLDS if cost[threshold] <= allowed)


class GateLearning:
    """Gates, learned on questions to stores of a batch each, as an answerer would be asked.

    `behaviour`: whose model, space and renderer stay as they are. `start`: the gates to start from.
    """

    def __init__(
        self,
        behaviour: BehaviourTraining,
        router: Router,
        passports: PassportEncoder,
        start: Gates | None = None,
    ) -> None:
        self.behaviour, self.router, self.passports = behaviour, router, passports
        behaviour.renderer.requires_grad_(False)
        start = start or Gates()
        self._logarithms = torch.tensor([start.half, start.temperature]).log().requires_grad_(True)

    def gates(self, drop_below: float = 0.0) -> Gates:
        """As they are learned by now."""
        half, temperature = self._logarithms.detach().exp().tolist()
        return Gates(half, temperature, drop_below)

    def learn(self, steps: int, report: Report) -> None:
        """`steps` batches of fresh episodes."""
        optimizer = torch.optim.Adam([self._logarithms], lr=RATE)
        smooth = 0.0
        for step in range(1, steps + 1):
            batch = self._batch(step, SHAPE)
            loss, _ = self.behaviour.loss(replace(batch, gates=self._gated(batch)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            smooth += (float(loss.detach()) - smooth) / min(step, 10)
            if step % 5 == 0:
                report({"step": step, "progress": step / steps, "loss": smooth,
                        **asdict(self.gates())})  # fmt: skip

    @torch.no_grad()
    def losses(self, thresholds: tuple[float, ...], shape: BatchShape) -> dict[float, float]:
        """Mean loss of other fresh episodes where gates under a threshold are dropped."""
        found: dict[float, list[float]] = {threshold: [] for threshold in thresholds}
        for number in range(TRIED):
            batch = self._batch(-1 - number, shape)
            gates = self._gated(batch)
            for threshold, losses in found.items():
                kept = gates * (gates >= threshold)
                losses.append(float(self.behaviour.loss(replace(batch, gates=kept))[0]))
        return {threshold: fmean(losses) for threshold, losses in found.items()}

    def _batch(self, number: int, shape: BatchShape) -> Batch:
        seed = (self.behaviour.plan.seed + 31) * 1_000_003 + number
        return make_batch(
            EpisodeGenerator(seed=seed),
            shape,
            self.behaviour.language_model,
            self.behaviour.speller,
            random.Random(seed),
        )

    def _gated(self, batch: Batch) -> Tensor:
        """The gates of the files that are found, as `Gates` has them: [questions, memories]."""
        half, temperature = self._logarithms.exp()
        falling = ((half - self._below(batch)) / temperature).sigmoid()
        return falling / (half / temperature).sigmoid()

    @torch.no_grad()
    def _below(self, batch: Batch) -> Tensor:
        """Log-odds of the TOP_K best memories under the best, FAR for the others.

        float32 [questions, memories].
        """
        texts = self.behaviour.tower.states(batch.written)
        usv = self.behaviour.encoder(texts.states, texts.mask)
        every = self.passports.passports(usv.cpu().numpy())
        read = self.behaviour.reader.word_pieces(usv)
        below = torch.full_like(batch.gates, FAR)
        for row, sample in enumerate(batch.questions):
            asked = self.router.ask(sample.question)
            ranked = self.router.rank(
                asked, list(enumerate(every)), lambda files: [read[file] for file in files]
            )
            found = ranked[:TOP_K]
            for file, logit in found:
                below[row, file] = found[0][1] - logit
        return below
