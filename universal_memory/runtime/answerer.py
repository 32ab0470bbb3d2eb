"""The Answerer: from a question to an answer.

Route, load, render, fuse, attach, generate, detach. On the compiled path the prompt is the model's
template and the question, nothing else. Where no file is relevant, text of the fresh window is put
into the prompt if it is; else the base model answers, untouched, or the robot says that it does not
know.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.experience.event import Event
from universal_memory.memory.errors import MemoryNotFound
from universal_memory.memory.record import Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.memory.window import Window
from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.conflict import conflicts
from universal_memory.rendering.fusion import fuse
from universal_memory.rendering.renderer import Renderer
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.routing.gates import WordGates
from universal_memory.routing.index import PassportIndex
from universal_memory.routing.passport import PassportEncoder
from universal_memory.routing.pointer import Pointer
from universal_memory.routing.router import RoutedQuestion, Router
from universal_memory.runtime.answer import (
    BASE,
    COMPILED,
    FRESH,
    UNKNOWN,
    Answer,
    Hit,
    LoadedFile,
    Prepared,
    PromptTooLong,
    Stamps,
)
from universal_memory.runtime.finder import Finder, FoundParts
from universal_memory.runtime.language_model import DEFAULT_MODEL, LanguageModel
from universal_memory.runtime.parted import OpenedAdapter, PartedAdapter, opened
from universal_memory.runtime.speaker import bind_speaker
from universal_memory.runtime.succession import Succession
from universal_memory.space.semantic_space import SemanticSpace

FRESH_EVENTS = 64
FRESH_CHARACTERS = 4000  # about a thousand tokens: reading more takes seconds


class Answerer:
    """Answers questions from a store with one language model, one question at a time.

    `pointer`: opens the words of memories that a question asks for; None: all words are open.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        renderer: Renderer,
        space: SemanticSpace,
        passport_encoder: PassportEncoder,
        router: Router,
        store: MemoryStore,
        index: PassportIndex,
        cache_size: int = 64,
        succession: Succession | None = None,
        pointer: Pointer | None = None,
    ) -> None:
        self.language_model, self.renderer = language_model, renderer
        self.space, self.passport_encoder, self.router = space, passport_encoder, router
        self.store, self.index = store, index
        self.succession = succession or Succession(None, space, store, index)
        self.pointer, self.word_gates = pointer, WordGates()
        self._cache_size = cache_size
        self._rendered: OrderedDict[str, tuple[PartedAdapter, Stamps]] = OrderedDict()
        self._lock = threading.Lock()
        # Fresh events are asked about again and again until they are compiled.
        self._compiled = lru_cache(4 * FRESH_EVENTS)(self._compile)
        self._finder = Finder(router, store, index, space.reader, gone=self._drop)

    @classmethod
    def load(
        cls,
        store: MemoryStore,
        model: str = DEFAULT_MODEL,
        cache_size: int = 64,
        models: Path | None = None,
        pointed: bool = True,
    ) -> Answerer:
        """An answerer with the trained parts of the models folder.

        `pointed`: only the words that a question asks for are open; else every word is. Raises
        FileNotFoundError or ValueError, with the remedy, if the model, its renderer, the space, the
        router or the pointer is missing or they do not belong together.
        """
        language_model = LanguageModel(model)
        space = SemanticSpace.load(models)
        embeddings = TokenEmbeddings(language_model.model)
        renderer = Renderer.load(
            language_model.architecture, space.space_id, space.reader, embeddings, models
        )
        router = Router.load(space, models)
        index = PassportIndex.open(store)
        passports = PassportEncoder.load(space, models, router.encoder.pieces)
        succession = Succession.load(space, store, index, models)
        pointer = Pointer.load(space, models) if pointed else None
        return cls(
            language_model, renderer, space, passports, router, store, index, cache_size,
            succession, pointer,
        )  # fmt: skip

    def answer(
        self,
        question: str,
        speaker: str = "",
        top_k: int = 3,
        min_relevance: float = 0.5,
        max_tokens: int = 32,
        fresh: Sequence[Event] = (),
        unknown_answer: str = "",
        window: Window | None = None,
    ) -> Answer:
        """Answer `question`; `fresh` are events that are in no file yet, oldest first.

        `unknown_answer`: what is said, with source UNKNOWN and no model asked, where nothing
        relevant is known; blank: the base model answers. `window`: only what was experienced then
        and there counts. Raises PromptTooLong, and what a store that cannot be read raises.
        """
        with self._lock:
            ready = self.prepare(question, speaker, top_k, min_relevance, fresh, window=window)
            if ready.source == BASE and unknown_answer.strip():
                return _unknown(ready, unknown_answer.strip())
            started = time.perf_counter()
            text = self.language_model.text(self.say(ready, max_tokens))
            generated = time.perf_counter()
        return Answer(
            answer=text,
            source=ready.source,
            hits=ready.hits,
            route_ms=ready.route_ms,
            load_ms=ready.load_ms,
            render_ms=ready.render_ms,
            generate_ms=1000 * (generated - started),
            prompt_tokens=len(ready.prompt),
        )

    def prepare(
        self,
        question: str,
        speaker: str = "",
        top_k: int = 3,
        min_relevance: float = 0.5,
        fresh: Sequence[Event] = (),
        among: Sequence[str] | None = None,
        window: Window | None = None,
    ) -> Prepared:
        """Route, load, render and fuse; nothing is attached yet.

        `among`: ids of the files to choose from, in place of the whole store. `window`: files and
        fresh events outside of it are left out.
        """
        started = time.perf_counter()
        question = bind_speaker(question, speaker)
        asked = self.router.ask(question)
        chosen = self._choose(asked, among, window, top_k, min_relevance)
        routed = time.perf_counter()
        loaded = [entry for entry in map(self._load, chosen) if entry is not None]
        read = time.perf_counter()
        if loaded:
            adapter, hits, put_on = self._render(asked, loaded)
            prompt, source = self.language_model.prompt_ids(question), COMPILED
        else:
            adapter, hits, put_on = None, (), ()
            fresh = [event for event in fresh if window is None or window.holds_event(event)]
            context = self._fresh_text(fresh, asked, min_relevance)
            prompt = self.language_model.prompt_ids(question, context)
            source = FRESH if context else BASE
        return Prepared(
            prompt,
            adapter,
            source,
            hits,
            route_ms=1000 * (routed - started),
            load_ms=1000 * (read - routed),
            render_ms=1000 * (time.perf_counter() - read),
            put_on=put_on,
        )

    def say(self, ready: Prepared, max_tokens: int = 32) -> list[int]:
        """The tokens of the answer to a prepared question. Raises PromptTooLong."""
        model = self.language_model
        room = model.context - len(ready.prompt)
        if room < 1:
            raise PromptTooLong(
                f"the prompt has {len(ready.prompt)} tokens and {model.name} takes "
                f"{model.context} with the answer: ask a shorter question"
            )
        with (
            attach(model.model, model.architecture, ready.adapter)
            if ready.adapter
            else nullcontext()
        ):
            return model.generate_tokens([ready.prompt], min(max_tokens, room))[0]

    def forget(self, memory_id: str) -> None:
        """Drop what is cached of a memory that is gone, and of events that were fresh."""
        with self._lock:
            self._drop(memory_id)
            self._compiled.cache_clear()

    def synchronise(self) -> None:
        """Know what others did to the store, and keep nothing of what they made it forget."""
        self.index.synchronise(self.store)
        with self._lock:
            gone = {*self._rendered, *self._finder.read_ids()} - set(self.index.ids())
            for memory_id in gone:
                self._drop(memory_id)
            if gone:
                self._compiled.cache_clear()

    def _choose(
        self,
        asked: RoutedQuestion,
        among: Sequence[str] | None,
        window: Window | None,
        top_k: int,
        min_relevance: float,
    ) -> FoundParts:
        """Ids of the files that are put on and log-odds of their parts, the most relevant first."""
        found = self._finder.find_parts(asked, top_k, min_relevance, among, window)
        open_gates = self.renderer.config.gates([max(logits) for _, logits in found])
        return [entry for entry, gate in zip(found, open_gates, strict=True) if gate > 0]

    def _drop(self, memory_id: str) -> None:
        self._rendered.pop(memory_id, None)
        self._finder.forget(memory_id)
        self.succession.forget(memory_id)

    def _load(self, chosen: tuple[str, list[float]]) -> LoadedFile | None:
        """A file, rendered; None if it is gone or no longer valid."""
        memory_id, logits = chosen
        if memory_id not in self._rendered:
            try:
                file = self.store.get(memory_id)
            except (MemoryNotFound, ValueError):
                self._drop(memory_id)
                return None
            record = self.store.record(memory_id)
            stamps = Stamps.of(record.provenance if record else Provenance())
            usv = torch.from_numpy(file.usv.copy())
            adapter = PartedAdapter.render(self.renderer, self.space.reader, usv)
            self._rendered[memory_id] = (adapter, stamps)
            while len(self._rendered) > max(1, self._cache_size):
                self._rendered.popitem(last=False)
        self._rendered.move_to_end(memory_id)
        return LoadedFile(memory_id, logits, *self._rendered[memory_id])

    def _render(
        self, asked: RoutedQuestion, loaded: Sequence[LoadedFile]
    ) -> tuple[Adapter, tuple[Hit, ...], tuple[OpenedAdapter, ...]]:
        """All files in one adapter: of a merged one those parts that are about as relevant as its
        best, and of all of them the words that are asked for.
        """
        gates = self.renderer.config.gates
        open_gates = gates([one.logit for one in loaded])
        with torch.inference_mode():
            put_on = opened(
                [one.adapter for one in loaded],
                [gates(one.logits) for one in loaded],
                None if self.pointer is None else lambda words: self._asked_for(asked, words),
            )
            adapters = [one.adapter for one in put_on]
            adapter = fuse([self.renderer.manner(), *adapters], [1.0, *open_gates])
            met = conflicts(adapters, open_gates)
        hits = tuple(
            Hit(
                one.id,
                self.router.relevance(one.logit),
                gate,
                one.stamps.compiled,
                meeting.cosine,
                meeting.conflict,
                one.stamps.start,
                one.stamps.end,
            )
            for one, gate, meeting in zip(loaded, open_gates, met, strict=True)
        )
        return adapter, hits, tuple(put_on)

    def _asked_for(self, asked: RoutedQuestion, words: list[list[int]]) -> list[list[float]]:
        assert self.pointer is not None
        question = asked.seen.lists.ids.tolist()
        return self.word_gates(self.pointer.asked_for(question, words))

    def _compile(self, text: str) -> tuple[NDArray[np.float32], list[int]]:
        """The passport of a text, and its word pieces as its memory would hold them."""
        usv = self.space.encode([text])
        passport = self.passport_encoder.passports(usv)[0]
        return passport, self.space.reader.word_pieces(torch.from_numpy(usv))[0]

    def _fresh_text(
        self, fresh: Sequence[Event], asked: RoutedQuestion, min_relevance: float
    ) -> str:
        """Text of the fresh events that are relevant, judged as if each were a memory already.

        If it is too much the oldest goes.
        """
        texts = [event.text for event in fresh if event.text.strip()][-FRESH_EVENTS:]
        compiled = [self._compiled(text) for text in texts]
        ranked = self.router.rank(
            asked,
            [(number, passport) for number, (passport, _) in enumerate(compiled)],
            lambda numbers: [compiled[number][1] for number in numbers],
        )
        relevant = sorted(
            number for number, logit in ranked if self.router.relevance(logit) >= min_relevance
        )
        return " ".join(texts[number] for number in relevant)[-FRESH_CHARACTERS:]


def _unknown(ready: Prepared, text: str) -> Answer:
    """The answer of a robot that does not know: nothing went into the model."""
    return Answer(
        answer=text,
        source=UNKNOWN,
        hits=(),
        route_ms=ready.route_ms,
        load_ms=ready.load_ms,
        render_ms=ready.render_ms,
        generate_ms=0.0,
        prompt_tokens=0,
    )
