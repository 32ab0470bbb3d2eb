"""One file, many models: files of the frozen space on a model that took no part in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from facts import FACTS
from house import said
from tiny_models import assert_untouched, parameters_of
from torch import Tensor

from universal_memory.experience.buffer import RollingBuffer
from universal_memory.memory.store import MemoryStore
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.compiler import Compiler

pytestmark = pytest.mark.slow

MODEL = "gemma3-270m"

@pytest.fixture(scope="module")
def answerer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Answerer]:
    """Gemma over a store that was compiled, and closed, before any language model was loaded."""
    folder: Path = tmp_path_factory.mktemp("second")
    with MemoryStore(folder / "store") as store, RollingBuffer(folder / "b.sqlite") as buffer:
        for number, (text, _) in enumerate(FACTS.values(), start=1):
            buffer.append(said(100 * number, text))
        compiled = Compiler.load(store, buffer).compile(0, flush=True)
        assert len(compiled.memories) == len(FACTS)
    with MemoryStore(folder / "store") as store:
        yield Answerer.load(store, MODEL)


def test_most_facts_are_known_from_the_files_alone(answerer: Answerer) -> None:
    model = answerer.language_model
    assert model.architecture.model_type == "gemma3_text"
    before = parameters_of(model.model)
    received: list[list[int]] = []

    def note(_module: object, inputs: tuple[Tensor, ...]) -> None:
        received.append(inputs[0][0].tolist())

    handle = model.model.get_input_embeddings().register_forward_pre_hook(note)
    right = 0
    for question, (_, wanted) in FACTS.items():
        received.clear()
        answer = answerer.answer(question, max_tokens=12)
        right += answer.source == "COMPILED" and wanted.lower() in answer.answer.lower()
        prompt = model.tokenizer.encode(
            f"<bos>Question:\n{question}\nAnswer:", add_special_tokens=False
        )
        assert received[0] == prompt and answer.prompt_tokens == len(prompt)
        assert all(len(ids) == 1 for ids in received[1:])
    handle.remove()
    assert_untouched(model.model, before)
    assert right >= 3


def test_another_file_does_not_tell(answerer: Answerer) -> None:
    ids = answerer.store.ids()
    told = 0
    for question, (_, wanted) in FACTS.items():
        own = answerer.answer(question, top_k=1).hits[0].id
        others = [memory_id for memory_id in ids if memory_id != own]
        ready = answerer.prepare(question, top_k=1, min_relevance=0.0, among=others)
        text = answerer.language_model.text(answerer.say(ready, 12))
        told += wanted.lower() in text.lower()
    assert told <= 1


def test_what_nobody_experienced_is_left_to_the_untouched_model(answerer: Answerer) -> None:
    model, question = answerer.language_model, "What is the capital of France?"
    plain = model.generate([model.prompt_ids(question)], 12)[0]
    answer = answerer.answer(question, max_tokens=12)
    assert (answer.source, answer.answer, answer.hits) == ("BASE", plain, ())
