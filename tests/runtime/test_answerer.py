"""The answerer: what goes into the prompt, what comes off the model, and what is forgotten."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from house import SECOND, House, said
from tiny_models import assert_untouched, parameters_of
from torch import Tensor

from universal_memory.memory.window import Window
from universal_memory.rendering.adapter import attach
from universal_memory.rendering.fusion import fuse
from universal_memory.runtime.answer import PromptTooLong
from universal_memory.runtime.answerer import FRESH_CHARACTERS
from universal_memory.runtime.language_model import LanguageModel

TEXTS = (
    "Anna said: my tea should be weak.",
    "Ben said: the ladder is in the hall.",
    "Sign reads: pharmacy room 12.",
)
QUESTION = "What does it say?"


class Listener:
    """Notes the token ids that a model's embedding really receives, one row a forward pass."""

    def __init__(self, language_model: LanguageModel) -> None:
        self.passes: list[list[int]] = []
        embedding = language_model.model.get_input_embeddings()
        self._handle = embedding.register_forward_pre_hook(self._note)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.remove()

    def _note(self, _module: object, inputs: tuple[Tensor, ...]) -> None:
        self.passes.append(inputs[0][0].tolist())


def template_ids(model: LanguageModel, content: str) -> list[int]:
    """The prompt by the tokenizer's own chat template, around `content`."""
    text = model.tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    return list(model.tokenizer.encode(text, add_special_tokens=False))


def test_compiled_path_prompts_with_the_question_only(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = house.answerer.language_model
    house.lead(QUESTION, *house.remember(*TEXTS[:2]))
    generated: list[Tensor] = []
    generate = model.model.generate

    def note(**arguments: Any) -> Tensor:
        generated.append(generate(**arguments))
        return generated[-1]

    monkeypatch.setattr(model.model, "generate", note)
    with Listener(model) as listener:
        answer = house.answerer.answer(QUESTION, max_tokens=6, fresh=[said(9, TEXTS[2])])
    prompt = template_ids(model, QUESTION)
    assert answer.source == "COMPILED"
    assert len(answer.hits) == 2
    assert answer.prompt_tokens == len(prompt)
    # All the model ever got: that prompt, then one by one what it said itself.
    assert listener.passes[0] == prompt
    spoken = [[token] for token in generated[0][0, len(prompt) :].tolist()]
    assert listener.passes[1:] == spoken[:-1] != []


def test_compiled_answer_is_of_manner_and_gated_memories(house: House) -> None:
    parts = house.answerer
    model, before = parts.language_model, parameters_of(parts.language_model.model)
    first, second = house.remember(*TEXTS[:2])
    house.lead(QUESTION, first, second)
    answer = parts.answer(QUESTION, max_tokens=8)
    assert [hit.id for hit in answer.hits] == [first, second]
    assert answer.hits[0].gate == 1.0 > answer.hits[1].gate > 0.3
    assert 1.0 >= answer.hits[0].relevance > answer.hits[1].relevance > 0.5
    usvs = [torch.from_numpy(house.store.get(hit.id).usv.copy()) for hit in answer.hits]
    adapter = fuse(
        [parts.renderer.manner(), *map(parts.renderer.render, usvs)],
        [1.0, *(hit.gate for hit in answer.hits)],
    )
    prompt = model.prompt_ids(QUESTION)
    with attach(model.model, model.architecture, adapter):
        assert model.generate([prompt], 8) == [answer.answer]
    assert model.generate([prompt], 8) != [answer.answer]  # the base model says something else
    assert_untouched(model.model, before)


def test_base_path_is_the_untouched_model(house: House) -> None:
    model = house.answerer.language_model
    before = parameters_of(model.model)
    plain = model.generate([model.prompt_ids(QUESTION)], 8)[0]
    house.lead("Something else?", *house.remember(*TEXTS))
    with Listener(model) as listener:
        answer = house.answerer.answer(QUESTION, max_tokens=8, fresh=[said(9, TEXTS[2])])
    assert (answer.source, answer.hits, answer.answer) == ("BASE", (), plain)
    assert listener.passes[0] == template_ids(model, QUESTION)
    assert_untouched(model.model, before)


def test_base_answer_is_the_same_after_a_compiled_one(house: House) -> None:
    before = house.answerer.answer("Hello?", max_tokens=8).answer
    house.lead(QUESTION, *house.remember(TEXTS[0]))
    assert house.answerer.answer(QUESTION, max_tokens=8).source == "COMPILED"
    assert house.answerer.answer("Hello?", max_tokens=8).answer == before


def test_fresh_text_is_in_the_prompt_and_said_so(house: House) -> None:
    model = house.answerer.language_model
    passport = house.answerer.passport_encoder.passports(house.answerer.space.encode([TEXTS[0]]))
    house.router.signs[QUESTION] = passport[0]
    fresh = [said(1, "  "), said(2, TEXTS[0])]
    with Listener(model) as listener:
        answer = house.answerer.answer(QUESTION, max_tokens=4, fresh=fresh)
    prompt = template_ids(model, f"{TEXTS[0]}\n{QUESTION}")
    assert (answer.source, answer.hits) == ("FRESH", ())
    assert listener.passes[0] == prompt
    assert answer.prompt_tokens == len(prompt)


def test_memories_go_before_fresh_text(house: House) -> None:
    house.lead(QUESTION, *house.remember(TEXTS[0]))
    assert house.answerer.answer(QUESTION, fresh=[said(2, TEXTS[0])]).source == "COMPILED"


def test_a_window_narrows_files_and_fresh_text_alike(house: House) -> None:
    ids = house.remember(*TEXTS[:2])
    house.lead(QUESTION, *ids)
    assert [hit.id for hit in house.answerer.answer(QUESTION).hits] == ids
    later = house.store.record(ids[1]).provenance.start_stamp  # type: ignore[union-attr]
    answer = house.answerer.answer(QUESTION, window=Window(after=later))
    assert [(hit.id, hit.start_stamp, hit.end_stamp) for hit in answer.hits] == [
        (ids[1], later, later)
    ]
    fresh = [said(later // SECOND + 10, TEXTS[0]), said(later // SECOND + 20, TEXTS[0])]

    def prompted(after: int) -> list[int]:
        window = Window(after=after)
        return house.answerer.prepare(QUESTION, min_relevance=0, fresh=fresh, window=window).prompt

    model = house.answerer.language_model
    assert prompted(later + 15 * SECOND) == model.prompt_ids(QUESTION, TEXTS[0])
    assert prompted(later + 5 * SECOND) == model.prompt_ids(QUESTION, f"{TEXTS[0]} {TEXTS[0]}")
    assert prompted(later + 25 * SECOND) == model.prompt_ids(QUESTION)


def test_min_relevance_and_top_k_bound_what_is_used(house: House) -> None:
    ids = house.remember(*TEXTS)
    house.lead(QUESTION, *ids)
    assert len(house.answerer.answer(QUESTION, top_k=1).hits) == 1
    relevance = house.answerer.answer(QUESTION).hits[0].relevance
    assert house.answerer.answer(QUESTION, min_relevance=relevance + 1e-9).source == "BASE"


def test_question_is_bound_to_its_speaker(house: House) -> None:
    model = house.answerer.language_model
    with Listener(model) as listener:
        house.answerer.answer("Where is my tea?", speaker="Anna", max_tokens=1)
    assert listener.passes[0] == template_ids(model, "Where is Anna's tea?")


def test_rendered_adapters_are_kept_least_recently_used_goes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[Tensor] = []
    forward = house.answerer.renderer.forward
    monkeypatch.setattr(
        house.answerer.renderer, "forward", lambda usv: (rendered.append(usv), forward(usv))[1]
    )
    ids = house.remember(*TEXTS)
    for number, memory_id in enumerate(ids):
        house.lead(f"{number}?", memory_id)

    def ask(number: int) -> int:
        """Ask about one memory; how many were rendered for it."""
        before = len(rendered)
        hits = house.answerer.answer(f"{number}?", max_tokens=1).hits
        assert [hit.id for hit in hits] == [ids[number]]
        assert len(house.answerer._rendered) <= 2
        return len(rendered) - before

    assert [ask(number) for number in (0, 1, 0, 2, 0, 1)] == [1, 1, 0, 1, 0, 1]


def test_same_answer_from_the_cache(house: House) -> None:
    house.lead(QUESTION, *house.remember(TEXTS[0]))
    first, second = (house.answerer.answer(QUESTION, max_tokens=6) for _ in range(2))
    assert (first.answer, first.hits) == (second.answer, second.hits)


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("told", [False, True])
def test_forgotten_file_is_in_no_answer(house: House, cached: bool, told: bool) -> None:
    kept, gone = house.remember(*TEXTS[:2])
    house.lead(QUESTION, gone, kept)
    if cached:
        assert [hit.id for hit in house.answerer.answer(QUESTION).hits] == [gone, kept]
    house.store.forget(gone)  # by this process or by `ump memory forget` in another one
    if told:
        house.answerer.forget(gone)
    answer = house.answerer.answer(QUESTION, max_tokens=4)
    assert [(hit.id, hit.gate) for hit in answer.hits] == [(kept, 1.0)]
    assert gone not in house.answerer._rendered
    house.store.forget(kept)
    assert house.answerer.answer(QUESTION, max_tokens=4).source == "BASE"


def test_damaged_file_is_left_out(house: House) -> None:
    kept, damaged = house.remember(*TEXTS[:2])
    house.lead(QUESTION, damaged, kept)
    path = house.store.path_of(damaged)
    path.write_bytes(path.read_bytes()[:-4] + b"\x00\x00\xc0\x7f")
    assert [hit.id for hit in house.answerer.answer(QUESTION, max_tokens=1).hits] == [kept]


def test_failed_generation_takes_the_adapter_off(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = house.answerer.language_model
    before = parameters_of(model.model)
    house.lead(QUESTION, *house.remember(TEXTS[0]))
    right = house.answerer.answer(QUESTION, max_tokens=4).answer

    def fail(*_: object) -> list[str]:
        raise MemoryError("no room for the cache")

    monkeypatch.setattr(model, "generate_tokens", fail)
    with pytest.raises(MemoryError):
        house.answerer.answer(QUESTION)
    monkeypatch.undo()
    assert_untouched(model.model, before)
    assert house.answerer.answer(QUESTION, max_tokens=4).answer == right  # and it is free again


def test_a_prompt_that_fills_the_model_is_refused_and_an_answer_never_does(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = house.answerer.language_model
    room = model.context
    with pytest.raises(PromptTooLong, match=f"takes {room} .* a shorter question"):
        house.answerer.answer("tea " * room)
    asked: list[int] = []
    monkeypatch.setattr(model, "generate_tokens", lambda _, most: asked.append(most) or [[]])
    answer = house.answerer.answer(QUESTION, max_tokens=10 * room)
    assert asked == [room - answer.prompt_tokens]


def test_too_much_fresh_text_loses_its_oldest(house: House) -> None:
    texts = [f"{TEXTS[0]} {'word ' * 300}{number}" for number in range(6)]
    passports = house.answerer.passport_encoder.passports(house.answerer.space.encode(texts))
    fresh = [said(second, text) for second, text in enumerate(texts)]
    text = house.answerer._fresh_text(fresh, house.router.towards(passports[-1]), min_relevance=0.0)
    assert len(text) == FRESH_CHARACTERS
    assert " ".join(texts).endswith(text)


@pytest.mark.parametrize("question", ["", "tea " * 25, "¿Dónde está? 鍵はどこ"])
def test_odd_questions_are_answered(house: House, question: str) -> None:
    house.remember(TEXTS[0])
    answer = house.answerer.answer(question, max_tokens=2)
    assert answer.source == "BASE"
    assert answer.prompt_tokens == len(house.answerer.language_model.prompt_ids(question))
