"""The acceptance test: who knows passes, who knows without the file does not."""

from __future__ import annotations

from typing import Any

import pytest
from stand_ins import Knowing, mark

from universal_memory.benchmarks import acceptance as module
from universal_memory.benchmarks.acceptance import Acceptance, acceptance, stored_facts

FACTS = stored_facts()


def test_facts_hold_their_answers_and_are_asked_once() -> None:
    assert len(FACTS) == 24 == len({fact.question for fact in FACTS})
    assert all(fact.answers[0].lower() in fact.text.lower() for fact in FACTS)
    for fact in FACTS:  # the next one's file must not help
        others = [other for other in FACTS if other is not fact]
        assert not any(fact.answers[0].lower() == other.answers[0].lower() for other in others)


def asked(answerer: Any) -> Acceptance:
    return acceptance(answerer.language_model, answerer.renderer, answerer.space)


def test_who_reads_the_file_is_accepted(
    answerer: Any, knowing: Knowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TOKENS", 24)
    texts = {mark(fact.text): fact for fact in FACTS}

    def reads(question: str, on: set[float]) -> str:
        return next(texts[one].answers[-1] for one in on if one in texts)

    knowing.rule = reads
    found = asked(answerer)
    assert (found.questions, found.oracle, found.shuffled) == (24, 1.0, 0.0)
    assert found.accepted and found.as_dict()["least_oracle"] == 0.6


def test_who_knows_anyway_or_nothing_is_not(
    answerer: Any, knowing: Knowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_TOKENS", 24)
    answers = {fact.question: fact.answers[0] for fact in FACTS}
    knowing.rule = lambda question, on: answers[question]
    cheat = asked(answerer)
    assert (cheat.oracle, cheat.shuffled, cheat.accepted) == (1.0, 1.0, False)
    knowing.rule = lambda question, on: "I do not know."
    assert not asked(answerer).accepted


@pytest.mark.parametrize(
    ("oracle", "shuffled", "accepted"),
    [(0.6, 0.05, True), (0.59, 0.0, False), (1.0, 2 / 24, False), (1.0, 1 / 24, True)],
)
def test_thresholds(oracle: float, shuffled: float, accepted: bool) -> None:
    found = Acceptance(24, oracle, shuffled)
    assert found.accepted is accepted
    assert found.verdict.startswith("accepted: of 24" if accepted else "NOT accepted: of 24")
