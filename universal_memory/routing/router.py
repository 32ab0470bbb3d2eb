"""The router: a question to the passport space, and a cosine there to a probability."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.resources import models_dir
from universal_memory.routing.passport import PASSPORT_WIDTH
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import CONTEXT_WIDTH, PARTS, TextTower
from universal_memory.weights import load_weights, read_card

WEIGHTS = Path("router") / "router.safetensors"


class QuestionEncoder(nn.Module):
    """Text states of a question to the passport space: [batch, 1024] of unit norm.

    Four learned queries pool the states [batch, pieces, 1252]; mask bool [batch, pieces].
    """

    def __init__(self, queries: int = 4, hidden: int = 1024) -> None:
        super().__init__()
        self.word_norm = nn.LayerNorm(PARTS[0])
        self.hidden_norm = nn.LayerNorm(PARTS[1])
        self.query = nn.Linear(CONTEXT_WIDTH, queries)
        pooled = queries * CONTEXT_WIDTH
        self.linear = nn.Linear(pooled, PASSPORT_WIDTH)
        self.deep = nn.Sequential(
            nn.Linear(pooled, hidden), nn.GELU(), nn.Linear(hidden, PASSPORT_WIDTH)
        )

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Points in passport space of a batch of questions."""
        words, hidden, spelling = states.split(PARTS, dim=-1)
        states = torch.cat([self.word_norm(words), self.hidden_norm(hidden), spelling], dim=-1)
        scores = self.query(states).masked_fill(~mask.unsqueeze(-1), float("-inf"))
        pooled = torch.einsum("bpq,bpc->bqc", scores.softmax(1), states).flatten(1)
        return F.normalize(self.linear(pooled) + self.deep(pooled), dim=-1)


class Router:
    """Questions to passport space, with calibrated relevance.

    `slope`, `offset`: of the logistic that turns a cosine into the probability that a memory helps
    the question (Platt scaling on held-out questions; in the weights' card).
    """

    def __init__(
        self, tower: TextTower, encoder: QuestionEncoder, slope: float, offset: float
    ) -> None:
        self.tower = tower
        self.encoder = encoder.eval().requires_grad_(False)
        self.slope, self.offset = slope, offset

    @classmethod
    def load(cls, space: SemanticSpace, folder: Path | None = None) -> Router:
        """The router trained over `space`.

        Raises FileNotFoundError or WeightsError with the remedy, for another space too.
        """
        path = (folder or models_dir()) / WEIGHTS
        encoder = QuestionEncoder()
        load_weights(path, encoder, space.space_id)
        card = read_card(path)
        return cls(space.tower, encoder, float(card["slope"]), float(card["offset"]))

    @torch.inference_mode()
    def route(self, questions: list[str]) -> NDArray[np.float32]:
        """Where in passport space the memories that answer lie: float32 [questions, 1024]."""
        states = self.tower(questions)
        return np.asarray(self.encoder(states.states, states.mask).numpy())

    def logit(self, cosine: float) -> float:
        """Log-odds that a memory at this cosine is relevant."""
        return self.slope * cosine + self.offset

    def relevance(self, cosine: float) -> float:
        """Probability that a memory at this cosine is relevant."""
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, self.logit(cosine)))))
