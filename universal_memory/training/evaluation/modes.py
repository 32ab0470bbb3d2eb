"""The ways a question can be answered: from memory, and the controls beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import numpy as np
import torch

from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.fusion import fuse
from universal_memory.runtime.answerer import Answerer
from universal_memory.training.evaluation.dataset import AskedQuestion, Dataset

# answer, prompt tokens, milliseconds a stage
Reply = tuple[str, int, dict[str, float]]
Mode = Callable[[AskedQuestion], Reply]


class Modes:
    """Answers questions about compiled episodes in every mode, with the same decoding.

    `files`: ids of the memory files of every episode, in the order of the dataset.
    """

    def __init__(
        self,
        dataset: Dataset,
        files: Sequence[Sequence[str]],
        answerer: Answerer,
        top_k: int = 3,
        min_relevance: float = 0.0,
        max_tokens: int = 24,
    ) -> None:
        self.dataset, self.files, self.answerer = dataset, files, answerer
        self.top_k, self.min_relevance, self.max_tokens = top_k, min_relevance, max_tokens
        self.modes: dict[str, Mode] = {
            "memory": self.memory,
            "oracle": self.oracle,
            "shuffled": self.shuffled,
            "none": self.none,
            "context": self.context,
            "rag": self.rag,
            "manner": self.manner,
        }
        self._embedded: np.ndarray | None = None

    def memory(self, question: AskedQuestion) -> Reply:
        """Routed among all files, the best `top_k` fused."""
        answer = self.answerer.answer(
            question.text,
            top_k=self.top_k,
            min_relevance=self.min_relevance,
            max_tokens=self.max_tokens,
        )
        stages = {
            "route": answer.route_ms,
            "load": answer.load_ms,
            "render": answer.render_ms,
            "generate": answer.generate_ms,
        }
        return answer.answer, answer.prompt_tokens, stages

    def oracle(self, question: AskedQuestion) -> Reply:
        """The right file, given."""
        return self._from_files(question, question.episode)

    def shuffled(self, question: AskedQuestion) -> Reply:
        """Another episode's file, given: what the renderer's prior alone can do."""
        count = len(self.files)
        return self._from_files(question, (question.episode + max(1, count // 2)) % count)

    def none(self, question: AskedQuestion) -> Reply:
        """The base model, nothing else."""
        return self._generate(question.text, "", None, {})

    def context(self, question: AskedQuestion) -> Reply:
        """The base model with the episode's text in its prompt."""
        text = self.dataset.episodes[question.episode].text
        return self._generate(question.text, text, None, {})

    def manner(self, question: AskedQuestion) -> Reply:
        """The renderer's shared LoRA with the episode's text in the prompt: the fair reader."""
        text = self.dataset.episodes[question.episode].text
        return self._generate(question.text, text, self.answerer.renderer.manner(), {})

    def rag(self, question: AskedQuestion) -> Reply:
        """The base model with the texts of the `top_k` nearest episodes (MiniLM) in its prompt."""
        started = time.perf_counter()
        if self._embedded is None:
            self._embedded = self._embed([episode.text for episode in self.dataset.episodes])
        nearest = np.argsort(-(self._embedded @ self._embed([question.text])[0]))[: self.top_k]
        text = " ".join(self.dataset.episodes[place].text for place in nearest)
        stages = {"route": 1000 * (time.perf_counter() - started)}
        return self._generate(question.text, text, None, stages)

    def _from_files(self, question: AskedQuestion, episode: int) -> Reply:
        started = time.perf_counter()
        files = [self.answerer.store.get(memory_id) for memory_id in self.files[episode]]
        loaded = time.perf_counter()
        renderer = self.answerer.renderer
        with torch.inference_mode():
            adapters = [renderer.render(torch.from_numpy(file.usv.copy())) for file in files]
            adapter = fuse([renderer.manner(), *adapters])
        stages = {
            "load": 1000 * (loaded - started),
            "render": 1000 * (time.perf_counter() - loaded),
        }
        return self._generate(question.text, "", adapter, stages)

    def _generate(
        self, question: str, text: str, adapter: Adapter | None, stages: dict[str, float]
    ) -> Reply:
        language_model = self.answerer.language_model
        prompt = language_model.prompt_ids(question, text)
        started = time.perf_counter()
        with (
            attach(language_model.model, language_model.architecture, adapter)
            if adapter
            else nullcontext()
        ):
            answer = language_model.generate([prompt], self.max_tokens)[0]
        stages["generate"] = 1000 * (time.perf_counter() - started)
        return answer, len(prompt), stages

    def _embed(self, texts: list[str]) -> np.ndarray:
        rows = [self.answerer.space.tower([text]).pooled()[0].numpy() for text in texts]
        embedded = np.stack(rows)
        normed: np.ndarray = embedded / np.linalg.norm(embedded, axis=1, keepdims=True)
        return normed
