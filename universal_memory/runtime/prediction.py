"""What the robot's own model predicts of a text, with what is known already and without.

Memories say words, not the order in which this text has them: with the right ones on, a model is
sure of a word where it is due (0 nats instead of 8), and elsewhere just as sure of another one (30
instead of 8). So a token is predicted by the better of two, the model with memories and the model
alone. Routing is the other witness: a text is known as far as either of them knows it. How well
that, and each alone, tells what is known from what is new is in docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.memory.errors import MemoryNotFound
from universal_memory.memory.store import MemoryStore
from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.fusion import fuse
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.router import SHORTLIST, Router
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.inspection import QUESTIONS
from universal_memory.runtime.language_model import DEFAULT_MODEL, LanguageModel
from universal_memory.runtime.readings import Readings
from universal_memory.runtime.surprise import DECAY_SECONDS, SurpriseMeter

RECALL = QUESTIONS[0]  # at which renderers learn to recite a memory
FILES = 3
# Log-odds are calibrated for questions. A statement names more, so its are larger, about so much.
STATEMENT_SLOPE = 0.2
LEAST_RELEVANCE = 0.1  # below, a file says nothing of a text
MOST_TOKENS = 128  # of a text, about as far as it is read into a memory


@dataclass(frozen=True)
class Prediction:
    """Nats of every token of a text, float32 [tokens]: by the model `alone` and with `known` files.

    `log_odds`: of the likeliest file to be about the text. Without tokens: no file is.
    """

    alone: NDArray[np.float32]
    known: NDArray[np.float32]
    log_odds: float

    @classmethod
    def of_nothing(cls, log_odds: float = -np.inf) -> Prediction:
        """Where no file is about the text."""
        return cls(np.zeros(0, np.float32), np.zeros(0, np.float32), log_odds)

    @property
    def relevance(self) -> float:
        """Probability that the files are about the text."""
        return Router.relevance(STATEMENT_SLOPE * self.log_odds)

    @property
    def explained(self) -> float:
        """The share of what the model alone needs, in nats, that the files save it, 0 to 1."""
        whole = float(self.alone.sum())
        return 1.0 - float(np.minimum(self.alone, self.known).sum()) / whole if whole > 0 else 0.0

    @property
    def surprise(self) -> float:
        """The share of a text that is not known, 0 to 1: neither routing nor the model knows it."""
        return (1.0 - self.relevance) * (1.0 - self.explained)


class Predictor:
    """Predicts texts from the memories of an answerer's store. Not thread-safe.

    `begin` looks at the store anew; `expect` makes a text known that will be a memory soon.
    """

    def __init__(self, answerer: Answerer) -> None:
        self._parts = answerer
        self._index = PassportIndex.open(answerer.store)
        self._readings = Readings(answerer.store, answerer.space.reader)
        self._expected: dict[str, tuple[NDArray[np.float32], list[int]]] = {}

    def begin(self, among: Sequence[str] | None = None) -> None:
        """Know what is in the store now, or only `among` it, and nothing else.

        What is superseded is known no longer: a fact that changes back is news.
        """
        self._expected.clear()
        self._index.synchronise(self._parts.store)
        there = set(self._index.ids())
        unknown = {mark.superseded for mark in self._parts.store.marks.all()} & there
        if among is not None:
            unknown |= there.difference(among)
        for memory_id in unknown:
            self._index.remove(memory_id)

    def expect(self, text: str) -> None:
        """Know `text` until the next `begin`, as if it were a memory already."""
        usv = self._parts.space.encode([text])
        pieces = self._parts.space.reader.word_pieces(torch.from_numpy(usv))[0]
        key = f"expected {len(self._expected)}"
        self._expected[key] = usv[0], pieces
        self._index.add([key], self._parts.passport_encoder.passports(usv))

    def surprise(self, text: str) -> float:
        """The share of `text` that is not known, 0 to 1."""
        return self.predict(text).surprise

    def predict(self, text: str) -> Prediction:
        """How well the files that are about `text` predict it, and how well nothing does."""
        router, renderer = self._parts.router, self._parts.renderer
        asked = router.ask(text)
        near = self._index.shortlist(asked.vector, SHORTLIST)
        ranked = router.rank(asked, near, self._read)[:FILES]
        if not ranked:
            return Prediction.of_nothing()
        best = Prediction.of_nothing(ranked[0][1])
        if best.relevance < LEAST_RELEVANCE:
            return best
        gates = renderer.config.gates([logit for _, logit in ranked])
        adapters = [self._render(key) for key, _ in ranked]
        there = [(one, gate) for one, gate in zip(adapters, gates, strict=True) if one is not None]
        if not there:
            return best
        with torch.inference_mode():
            adapter = fuse(
                [renderer.manner(), *(one for one, _ in there)], [1.0, *(gate for _, gate in there)]
            )
        known, alone = nats(self._parts.language_model, text, adapter)
        return replace(best, alone=alone, known=known)

    def _read(self, keys: Sequence[str]) -> list[list[int] | None]:
        stored = [key for key in keys if key not in self._expected]
        found = dict(zip(stored, self._readings(stored), strict=True))
        return [self._expected[key][1] if key in self._expected else found[key] for key in keys]

    def _render(self, key: str) -> Adapter | None:
        """The adapter of a memory; None if it is gone."""
        try:
            usv = self._expected[key][0] if key in self._expected else self._usv(key)
        except (MemoryNotFound, ValueError):
            return None
        return self._parts.renderer.render(torch.from_numpy(usv))

    def _usv(self, memory_id: str) -> NDArray[np.float32]:
        return self._parts.store.get(memory_id).usv.copy()


def load_meter(
    store: MemoryStore,
    budget: float,
    momentum: float = 0.0,
    decay_seconds: float = DECAY_SECONDS,
    model: str = DEFAULT_MODEL,
    models: Path | None = None,
) -> SurpriseMeter:
    """A meter of surprise with the trained parts over a store.

    Raises ValueError for numbers out of range, and what `Answerer.load` raises.
    """
    predictor = Predictor(Answerer.load(store, model, models=models))
    return SurpriseMeter(predictor, budget, momentum, decay_seconds)


@torch.inference_mode()
def nats(
    language_model: LanguageModel, text: str, adapter: Adapter
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Negative log-likelihood of every token of a text: with an adapter, and by the model alone.

    Both float32 [tokens], of the text as the answer to "Recall.", its first tokens if it is long.
    """
    prompt = language_model.prompt_ids(RECALL)
    encode = language_model.tokenizer.encode
    tokens = encode(text, add_special_tokens=False, split_special_tokens=True)
    tokens = tokens[: min(MOST_TOKENS, language_model.context - len(prompt))]
    ids = torch.tensor([[*prompt, *tokens]] * 2, device=language_model.device)
    with attach(language_model.model, language_model.architecture, _first_only(adapter)):
        logits = language_model.model(ids).logits[:, len(prompt) - 1 : -1]
    said = logits.float().log_softmax(-1).gather(-1, ids[:, len(prompt) :, None]).squeeze(-1)
    known, alone = (-said).cpu().numpy()
    return known, alone


def _first_only(adapter: Adapter) -> Adapter:
    """The adapter on the first of two samples, and nothing on the second."""
    on = torch.tensor([[1.0], [0.0]])
    attention = adapter.attention
    if attention is not None:
        attention = attention.gated(on.expand(-1, attention.rank))
    return replace(adapter.gated(on.expand(-1, adapter.rank)), attention=attention)
