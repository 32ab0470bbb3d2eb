"""The ways a question can be answered: from memory, and the controls beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from universal_memory.rendering.adapter import Adapter
from universal_memory.runtime.answer import BASE, FRESH, Prepared
from universal_memory.runtime.answerer import Answerer
from universal_memory.training.evaluation.dataset import AskedQuestion, Dataset


class Modes:
    """Prepares questions about compiled episodes in every mode; the decoding is the same for all.

    `files`: ids of the memory files of every episode, in the order of the dataset.
    """

    def __init__(
        self,
        dataset: Dataset,
        files: Sequence[Sequence[str]],
        answerer: Answerer,
        top_k: int = 3,
        min_relevance: float = 0.0,
    ) -> None:
        self.dataset, self.files, self.answerer = dataset, files, answerer
        self.top_k, self.min_relevance = top_k, min_relevance
        self.by_name: dict[str, Callable[[AskedQuestion], Prepared]] = {
            "memory": self.memory,
            "oracle": self.oracle,
            "shuffled": self.shuffled,
            "none": self.none,
            "context": self.context,
            "rag": self.rag,
            "manner": self.manner,
        }
        self._embedded: NDArray[np.float32] | None = None

    def memory(self, question: AskedQuestion) -> Prepared:
        """Routed among all files, the best `top_k` fused."""
        return self.answerer.prepare(
            question.bound, top_k=self.top_k, min_relevance=self.min_relevance
        )

    def oracle(self, question: AskedQuestion) -> Prepared:
        """The files of the right episode, given; where there are several, gated as ever."""
        return self._from_files(question, question.episode)

    def shuffled(self, question: AskedQuestion) -> Prepared:
        """Another episode's file, given: what the renderer's prior alone can do."""
        count = len(self.files)
        return self._from_files(question, (question.episode + max(1, count // 2)) % count)

    def none(self, question: AskedQuestion) -> Prepared:
        """The base model, nothing else."""
        return Prepared(self._prompt(question), None, BASE)

    def context(self, question: AskedQuestion) -> Prepared:
        """The base model with the episode's text in its prompt."""
        return self._reading(question, self.dataset.episodes[question.episode].text)

    def manner(self, question: AskedQuestion) -> Prepared:
        """The renderer's shared LoRA with the episode's text in the prompt: the fair reader."""
        text = self.dataset.episodes[question.episode].text
        return self._reading(question, text, self.answerer.renderer.manner())

    def rag(self, question: AskedQuestion) -> Prepared:
        """The base model with the texts of the `top_k` nearest episodes (MiniLM) in its prompt."""
        started = time.perf_counter()
        if self._embedded is None:
            self._embedded = self._embed([episode.text for episode in self.dataset.episodes])
        nearest = np.argsort(-(self._embedded @ self._embed([question.bound])[0]))[: self.top_k]
        text = " ".join(self.dataset.episodes[place].text for place in nearest)
        return self._reading(question, text, route_ms=1000 * (time.perf_counter() - started))

    def _from_files(self, question: AskedQuestion, episode: int) -> Prepared:
        return self.answerer.prepare(
            question.bound, top_k=self.top_k, min_relevance=0.0, among=self.files[episode]
        )

    def _reading(
        self,
        question: AskedQuestion,
        text: str,
        adapter: Adapter | None = None,
        route_ms: float = 0.0,
    ) -> Prepared:
        return Prepared(self._prompt(question, text), adapter, FRESH, route_ms=route_ms)

    def _prompt(self, question: AskedQuestion, text: str = "") -> list[int]:
        return self.answerer.language_model.prompt_ids(question.bound, text)

    def _embed(self, texts: list[str]) -> NDArray[np.float32]:
        rows = [self.answerer.space.tower([text]).pooled()[0].numpy() for text in texts]
        embedded = np.stack(rows)
        return np.asarray(embedded / np.linalg.norm(embedded, axis=1, keepdims=True))
