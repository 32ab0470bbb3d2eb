"""The router: a question to the passport space, and what is found there to probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from universal_memory.resources import models_dir
from universal_memory.routing.calibration import Calibration
from universal_memory.routing.pieces import Lists, Seen
from universal_memory.routing.question import MAX_PIECES, QuestionEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.weights import load_weights, read_card

WEIGHTS = Path("router") / "router.safetensors"
SHORTLIST = 32  # memories nearest by cosine that are looked at closely
EMPTY = 101  # the piece [CLS]: stands for a question without any

Tokenise = Callable[[str], Sequence[int]]


@dataclass(frozen=True)
class RoutedQuestion:
    """A question in passport space: `vector` float32 [1024] of unit norm, and what it names."""

    vector: NDArray[np.float32]
    seen: Seen
    point: Tensor


class Router:
    """Questions to passport space, with calibrated relevance.

    `tokenise`: word pieces of a text (`TextTower.token_ids`). `calibration`: of the encoder's
    log-odds, fitted on questions to stores of several sizes (in the weights' card).
    """

    def __init__(
        self, tokenise: Tokenise, encoder: QuestionEncoder, calibration: Calibration
    ) -> None:
        self.tokenise = tokenise
        self.encoder = encoder.eval().requires_grad_(False)
        self.calibration = calibration

    @classmethod
    def load(cls, space: SemanticSpace, folder: Path | None = None) -> Router:
        """The router trained over `space`.

        Raises FileNotFoundError or WeightsError with the remedy, for another space too.
        """
        path = (folder or models_dir()) / WEIGHTS
        encoder = QuestionEncoder(len(space.reader.codes))
        load_weights(path, encoder, space.space_id)
        card = read_card(path)
        calibration = Calibration(card["slope"], card["rivalry"], card["offset"])
        return cls(space.tower.token_ids, encoder, calibration)

    @torch.inference_mode()
    def ask(self, question: str) -> RoutedQuestion:
        """Where in passport space the memories that answer lie."""
        seen = self.encoder.pieces(self._lists([question]))
        point = self.encoder.points(seen)
        return RoutedQuestion(np.asarray(point[0].numpy()), seen, point)

    @torch.inference_mode()
    def route(self, questions: list[str]) -> NDArray[np.float32]:
        """The vectors of many questions: float32 [questions, 1024]."""
        return np.asarray(self.encoder(self._lists(questions)).numpy())

    @torch.inference_mode()
    def logits(
        self, question: RoutedQuestion, passports: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Log-odds that memories are relevant, from their passports [memories, 1024].

        They are each other's rivals (`Calibration`).
        """
        given = torch.from_numpy(np.ascontiguousarray(passports, dtype=np.float32))
        presences = self.encoder.verifier.presences(question.seen, given)
        every = torch.arange(len(given)).unsqueeze(0)
        cosines = question.point @ given.T
        found = self.encoder.logits(question.seen, presences, cosines, every)[0]
        return np.asarray(self.calibration(found.numpy()), np.float32)

    def rank(
        self, question: RoutedQuestion, memories: Sequence[tuple[str, NDArray[np.float32]]]
    ) -> list[tuple[str, float]]:
        """Ids with log-odds, the most relevant first, of memories given by id and passport."""
        if not memories:
            return []
        logits = self.logits(question, np.stack([passport for _, passport in memories]))
        ids = (memory_id for memory_id, _ in memories)
        return sorted(zip(ids, logits.tolist(), strict=True), key=lambda entry: -entry[1])

    @staticmethod
    def relevance(logit: float) -> float:
        """Probability of log-odds."""
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))

    def _lists(self, questions: Sequence[str]) -> Lists:
        return Lists.of([[*self.tokenise(text)[:MAX_PIECES]] or [EMPTY] for text in questions])
