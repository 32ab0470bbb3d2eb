"""The router: a question to the passport space, and what is found there to probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from universal_memory.resources import models_dir
from universal_memory.routing.calibration import Calibration
from universal_memory.routing.pieces import Lists, Seen
from universal_memory.routing.question import MAX_PIECES, QuestionEncoder
from universal_memory.routing.question_table import QuestionTable
from universal_memory.routing.reranker import Reranker, padded
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.weights import WeightsError, digest, load_weights, read_card

WEIGHTS = Path("router") / "router.safetensors"
RERANKER_WEIGHTS = Path("router") / "reranker.safetensors"
SHORTLIST = 64  # memories nearest by cosine, whose passports are verified
LOOKED_AT = 16  # the likeliest of them, which are read themselves
EMPTY = 101  # the piece [CLS]: stands for a question without any

Tokenise = Callable[[str], Sequence[int]]
Key = TypeVar("Key")


@dataclass(frozen=True)
class RoutedQuestion:
    """A question in passport space: `vector` float32 [1024] of unit norm, and what it names."""

    vector: NDArray[np.float32]
    seen: Seen
    point: Tensor


class Router:
    """Questions to passport space, with calibrated relevance.

    `tokenise`: word pieces of a text (`TextTower.token_ids`). `calibration`: of the reranker's
    log-odds, fitted on questions to stores of several sizes (in its weights' card).
    """

    def __init__(
        self,
        tokenise: Tokenise,
        encoder: QuestionEncoder,
        reranker: Reranker,
        calibration: Calibration,
    ) -> None:
        self.tokenise = tokenise
        self.encoder = encoder.eval().requires_grad_(False)
        self.reranker = reranker.eval().requires_grad_(False)
        self.calibration = calibration
        self._alone = QuestionTable(self.encoder)

    @classmethod
    def load(cls, space: SemanticSpace, folder: Path | None = None) -> Router:
        """The router trained over `space`.

        Raises FileNotFoundError or WeightsError with the remedy, for another space too.
        """
        root = folder or models_dir()
        encoder = QuestionEncoder(len(space.reader.codes))
        load_weights(root / WEIGHTS, encoder, space.space_id)
        reranker = Reranker(encoder.pieces)
        load_weights(root / RERANKER_WEIGHTS, reranker, space.space_id)
        card = read_card(root / RERANKER_WEIGHTS)
        if card.get("router") != digest(encoder):
            raise WeightsError(
                f"reranker {root / RERANKER_WEIGHTS} was trained over another router than the one"
                " beside it; remedy: restore models/ from the repository, or run"
                " `ump train reranker`"
            )
        calibration = Calibration(card["slope"], card["rivalry"], card["offset"])
        return cls(space.tower.token_ids, encoder, reranker, calibration)

    @torch.inference_mode()
    def ask(self, question: str) -> RoutedQuestion:
        """Where in passport space the memories that answer lie."""
        seen, point = self._alone(self._pieces(question))
        return RoutedQuestion(np.asarray(point[0].numpy()), seen, point)

    @torch.inference_mode()
    def route(self, questions: list[str]) -> NDArray[np.float32]:
        """The vectors of many questions: float32 [questions, 1024]."""
        return np.asarray(self.encoder(self._lists(questions)).numpy())

    @torch.inference_mode()
    def verified(
        self, question: RoutedQuestion, passports: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Evidence that memories are relevant, by their passports [memories, 1024]: log-odds."""
        given = torch.from_numpy(np.ascontiguousarray(passports, dtype=np.float32))
        presences = self.encoder.verifier.presences(question.seen, given)
        every = torch.arange(len(given)).unsqueeze(0)
        cosines = question.point @ given.T
        return np.asarray(self.encoder.logits(question.seen, presences, cosines, every)[0].numpy())

    @torch.inference_mode()
    def logits(
        self,
        question: RoutedQuestion,
        verified: NDArray[np.float32],
        memories: Sequence[Sequence[int]],
    ) -> NDArray[np.float32]:
        """Log-odds that memories are relevant: float32 [memories].

        `verified`: what their passports say. `memories`: their word pieces, as the space's reader
        finds them in the USVs. They are each other's rivals (`Calibration`).
        """
        asked = question.seen.lists.ids.unsqueeze(0)
        found = self.reranker(
            asked, padded(memories).unsqueeze(0), torch.from_numpy(verified).unsqueeze(0)
        )
        return np.asarray(self.calibration(found[0].numpy()), np.float32)

    def rank(
        self,
        question: RoutedQuestion,
        memories: Sequence[tuple[Key, NDArray[np.float32]]],
        read: Callable[[list[Key]], Sequence[Sequence[int] | None]],
    ) -> list[tuple[Key, float]]:
        """As `rank_parts`, of memories that are one part each: keys with log-odds."""
        ranked = self.rank_parts(
            question,
            memories,
            lambda keys: [None if pieces is None else [pieces] for pieces in read(keys)],
        )
        return [(key, logit) for key, (logit,) in ranked]

    def rank_parts(
        self,
        question: RoutedQuestion,
        memories: Sequence[tuple[Key, NDArray[np.float32]]],
        read: Callable[[list[Key]], Sequence[Sequence[Sequence[int]] | None]],
    ) -> list[tuple[Key, list[float]]]:
        """The likeliest of some memories with log-odds of their parts, the most relevant first.

        `memories`: keys and passports. The LOOKED_AT likeliest are read: `read` gives the word
        pieces in the USVs of memories, part by part, None for one that is gone. A memory is as
        relevant as the most relevant of its parts.
        """
        if not memories:
            return []
        verified = self.verified(question, np.stack([passport for _, passport in memories]))
        near = np.argsort(-verified, kind="stable")[:LOOKED_AT]
        keys = [memories[row][0] for row in near]
        there = [
            (key, evidence, parts)
            for key, evidence, parts in zip(keys, verified[near], read(keys), strict=True)
            if parts is not None
        ]
        if not there:
            return []
        evidence = np.array([one for _, one, parts in there for _ in parts], np.float32)
        pieces = [part for _, _, parts in there for part in parts]
        logits = iter(self.logits(question, evidence, pieces).tolist())
        ranked = [(key, [next(logits) for _ in parts]) for key, _, parts in there]
        return sorted(ranked, key=lambda entry: -max(entry[1]))

    @staticmethod
    def relevance(logit: float) -> float:
        """Probability of log-odds."""
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, logit))))

    def _lists(self, questions: Sequence[str]) -> Lists:
        return Lists.of([self._pieces(text) for text in questions])

    def _pieces(self, question: str) -> list[int]:
        return [*self.tokenise(question)[:MAX_PIECES]] or [EMPTY]
