"""A compiler and an answerer with random weights, and a router that is told where to go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event, Modality
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pieces import PieceNetwork
from universal_memory.routing.router import RoutedQuestion, Router
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.compiler import Compiler
from universal_memory.space.semantic_space import SemanticSpace

SECOND = 1_000_000_000
PLAIN = [
    "Anna is here.",
    "The door is open.",
    "Sign reads: exit.",
    "Tool stop() returned state=ok.",
]


class ScatteredPassports(PassportEncoder):
    """Random passports that tell memories apart: of what they say beyond a few plain sentences."""

    def __init__(self, space: SemanticSpace) -> None:
        super().__init__(space.reader, PieceNetwork())
        self.centre = torch.zeros(())
        self.centre = super().forward(torch.from_numpy(space.encode(PLAIN))).detach().mean(0)

    def forward(self, usv: Tensor) -> Tensor:
        return F.normalize(super().forward(usv) - self.centre, dim=-1)


class SignpostRouter(Router):
    """A router that was told where each question leads; elsewhere it points away from all."""

    signs: dict[str, NDArray[np.float32]]

    def ask(self, question: str) -> RoutedQuestion:
        nowhere = -sum(self.signs.values(), np.full(1024, 1e-3, np.float32))
        return self.towards(self.signs.get(question, nowhere))

    def towards(self, passport: NDArray[np.float32]) -> RoutedQuestion:
        """A question that leads where `passport` points."""
        vector = np.asarray(passport / np.linalg.norm(passport), np.float32)
        return replace(super().ask("anything"), vector=vector)

    def verified(
        self, question: RoutedQuestion, passports: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        return passports @ question.vector

    def logits(
        self,
        question: RoutedQuestion,
        verified: NDArray[np.float32],
        memories: Sequence[Sequence[int]],
    ) -> NDArray[np.float32]:
        assert all(memories)
        return np.asarray(self.calibration(verified), np.float32)


@dataclass
class House:
    """A compiler and an answerer over one store."""

    buffer: RollingBuffer
    store: MemoryStore
    compiler: Compiler
    answerer: Answerer
    router: SignpostRouter

    def remember(self, *texts: str) -> list[str]:
        """Compile each text into a memory of its own and return their ids."""
        start = 1000 * (1 + len(self.store))
        for number, text in enumerate(texts):
            self.buffer.append(said(start + 100 * number, text))
        ids = [memory.id for memory in self.compiler.compile(0, flush=True).memories]
        self.answerer.index.synchronise(self.store)
        return ids

    def lead(self, question: str, *memory_ids: str) -> None:
        """Make `question` lead to these memories, to the first a little more."""
        passports = [self.store.get(memory_id).passport for memory_id in memory_ids]
        self.router.signs[question] = sum(
            (passport * 0.9**place for place, passport in enumerate(passports)),
            np.zeros(1024, np.float32),
        )


def said(second: float, text: str, stream: str = "audio") -> Event:
    """An utterance at `second`."""
    return Event(int(second * SECOND), stream, Modality.AUDIO, (1, 2, 3), text)
