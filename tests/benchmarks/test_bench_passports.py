"""Passports against behaviour: the statistics, and gains that are measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from stand_ins import vectors

from universal_memory.benchmarks.passports import agreement, gains, probe_facts, spearman


def test_rank_correlation_sees_order_only() -> None:
    row = np.array([0.1, 5.0, 2.0, 3.0])
    assert spearman(row, row**3) == pytest.approx(1.0)
    assert spearman(row, -row) == pytest.approx(-1.0)


def test_cosines_that_are_gains_agree_with_them() -> None:
    gained = np.random.default_rng(0).normal(size=(8, 8)) + 5 * np.eye(8)
    likeness = np.corrcoef(gained)
    found = agreement(
        gained,
        {"passports": likeness, "text": -likeness},
        {"passports": gained, "text": -gained},
    )
    assert len(found) == 5
    for name, row in found.items():
        assert row["passports"] == pytest.approx(1.0), name
        assert row["text"] == pytest.approx(0.0 if "nearest" in name else -1.0), name


def test_facts_are_different_and_half_are_near_duplicates() -> None:
    facts = probe_facts(24, "held_out")
    assert len({fact.statement for fact in facts}) == 24
    families = [fact.family for fact in facts[:12]]
    assert len(set(families)) <= 4


def test_a_file_that_changes_nothing_gains_nothing(tiny_answerer: Any) -> None:
    facts = probe_facts(5, "train")
    usvs = np.stack([vectors(fact.statement) for fact in facts])
    tokenizer = tiny_answerer.language_model.tokenizer
    seen: list[int] = []

    def spell(answer: str) -> list[int]:
        return tokenizer.encode(answer, add_special_tokens=False)

    measured = gains(
        tiny_answerer, usvs, facts, spell, lambda stage, done, total: seen.append(done)
    )
    assert measured.shape == (5, 5)
    assert np.isfinite(measured).all()
    assert seen == [1, 2, 3, 4, 5]
    again = gains(tiny_answerer, usvs[:1], facts, spell, lambda *_: None)
    np.testing.assert_allclose(again[0], measured[0], atol=1e-4)
    render = tiny_answerer.renderer.render
    tiny_answerer.renderer.render = lambda usv: silent(render(usv))
    np.testing.assert_allclose(
        gains(tiny_answerer, usvs, facts, spell, lambda *_: None), np.zeros((5, 5)), atol=1e-4
    )


def silent(adapter: Any) -> Any:
    adapter.values.zero_()
    return adapter
