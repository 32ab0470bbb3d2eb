"""What a robot says where it remembers nothing relevant; no earlier memory is left in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from house import House, said
from tiny_models import assert_untouched, parameters_of
from torch import Tensor

from universal_memory.rendering.conflict import conflicts
from universal_memory.runtime.language_model import LanguageModel

TEXTS = ("Anna said: my tea should be weak.", "Ben said: the ladder is in the hall.")
KNOWN, UNKNOWN = "What does it say?", "Who is the mayor?"


def logits(model: LanguageModel, text: str) -> Tensor:
    with torch.inference_mode():
        return model.model(torch.tensor([model.prompt_ids(text)])).logits


def test_by_default_the_bare_model_answers_bit_for_bit_whatever_was_asked_before(
    house: House, tiny_folder: Path
) -> None:
    bare = LanguageModel(str(tiny_folder))
    plain = bare.generate([bare.prompt_ids(UNKNOWN)], 8)[0]
    model, before = house.answerer.language_model, parameters_of(bare.model)
    first, second = house.remember(*TEXTS)
    house.lead(KNOWN, first, second)
    house.lead("And this?", second)
    for question in (KNOWN, UNKNOWN, "And this?", KNOWN):
        house.answerer.answer(question, max_tokens=6)
    assert house.answerer.answer(KNOWN, max_tokens=6).source == "COMPILED"
    answer = house.answerer.answer(UNKNOWN, max_tokens=8)
    assert (answer.source, answer.answer, answer.hits) == ("BASE", plain, ())
    assert torch.equal(logits(model, UNKNOWN), logits(bare, UNKNOWN))
    assert_untouched(model.model, before)


def test_told_what_to_say_it_says_that_and_asks_no_model(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.lead(KNOWN, *house.remember(TEXTS[0]))

    def generate(*_: object) -> list[str]:
        raise AssertionError("the model was asked")

    monkeypatch.setattr(house.answerer.language_model, "generate_tokens", generate)
    for question in (UNKNOWN, "tea " * 500):  # more than the model could take: it takes nothing
        answer = house.answerer.answer(question, unknown_answer=" I do not know. ")
        assert (answer.answer, answer.source) == ("I do not know.", "UNKNOWN")
        assert (answer.hits, answer.prompt_tokens, answer.generate_ms) == ((), 0, 0.0)
        assert answer.route_ms > 0


def test_what_is_known_is_answered_all_the_same(house: House) -> None:
    passports = house.answerer.passport_encoder.passports(house.answerer.space.encode([TEXTS[1]]))
    house.router.signs[UNKNOWN] = passports[0]
    fresh = house.answerer.answer(
        UNKNOWN, max_tokens=2, fresh=[said(1, TEXTS[1])], unknown_answer="I do not know."
    )
    assert fresh.source == "FRESH"
    house.lead(KNOWN, *house.remember(TEXTS[0]))
    plain = house.answerer.answer(KNOWN, max_tokens=6)
    told = house.answerer.answer(KNOWN, max_tokens=6, unknown_answer="I do not know.")
    assert (told.answer, told.source) == (plain.answer, "COMPILED")


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_a_blank_one_is_none(house: House, blank: str) -> None:
    answer = house.answerer.answer(UNKNOWN, max_tokens=2, unknown_answer=blank)
    assert answer.source == "BASE"


def test_hits_carry_cosine_and_conflict(house: House) -> None:
    parts = house.answerer
    ids = house.remember(*TEXTS)
    house.lead(KNOWN, *ids)
    house.lead("And this?", ids[1])
    answer = parts.answer(KNOWN, max_tokens=1)
    usvs = [torch.from_numpy(house.store.get(hit.id).usv.copy()) for hit in answer.hits]
    wanted = conflicts([*map(parts.renderer.render, usvs)], [hit.gate for hit in answer.hits])
    for hit, one in zip(answer.hits, wanted, strict=True):
        assert (hit.cosine, hit.conflict) == pytest.approx((one.cosine, one.conflict), abs=1e-6)
        assert 0 < hit.cosine <= 1 and 0 < hit.conflict < 1
    alone = parts.answer("And this?", max_tokens=1).hits[0]
    assert (alone.cosine, alone.conflict) == (0.0, 0.0)
