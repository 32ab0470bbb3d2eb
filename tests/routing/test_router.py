"""The router: questions to unit vectors, passports to probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from universal_memory.routing.calibration import Calibration
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.reranker import Reranker
from universal_memory.routing.router import LOOKED_AT, RERANKER_WEIGHTS, WEIGHTS, Router
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import WeightsError, digest, save_weights

QUESTION = "Where did Anna leave the blue umbrella?"


@pytest.fixture(scope="module")
def router(tower: TextTower) -> Router:
    torch.manual_seed(0)
    encoder = QuestionEncoder()
    return Router(
        tower.token_ids, encoder, Reranker(encoder.pieces), Calibration(20.0, 0.0, -10.0)
    )


@pytest.fixture
def space(tower: TextTower) -> SemanticSpace:
    return SemanticSpace(tower, UniversalEncoder(blocks=1), "s")


def passports(count: int) -> NDArray[np.float32]:
    drawn = np.random.default_rng(0).normal(size=(count, 1024)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def test_questions_are_unit_vectors_apart(router: Router) -> None:
    questions = [QUESTION, "", "¿Dónde está la llave? 鍵は", "tea " * 3000]
    points = router.route(questions)
    assert (points.shape, points.dtype) == ((4, 1024), np.float32)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0, atol=1e-5)
    assert (points @ points.T)[np.triu_indices(4, 1)].max() < 0.9999


@pytest.mark.parametrize("question", [QUESTION, "", "tea", "¿鍵は?"])
def test_alone_as_in_a_batch(router: Router, question: str) -> None:
    batch = router.route(["Who waters the fern?", question, "Which tea?"])
    np.testing.assert_allclose(router.ask(question).vector, batch[1], atol=2e-3)  # rounding


def test_order_of_the_pieces_matters(router: Router) -> None:
    one, other = router.route(["room 274", "room 472"])
    assert one @ other < 0.9999


def pieces(count: int) -> list[list[int]]:
    drawn = np.random.default_rng(1)
    return [drawn.integers(2000, 30000, 3 + 5 * (one % 12)).tolist() for one in range(count)]


def test_log_odds_do_not_depend_on_the_company(router: Router) -> None:
    asked, given, read = router.ask(QUESTION), passports(5), pieces(5)
    verified = router.verified(asked, given)
    np.testing.assert_allclose(router.verified(asked, given[2:3])[0], verified[2], atol=1e-4)
    logits = router.logits(asked, verified, read)
    assert (logits.shape, logits.dtype) == ((5,), np.float32)
    alone = router.logits(asked, verified[2:3], read[2:3])
    np.testing.assert_allclose(alone[0], logits[2], atol=1e-3)


def test_most_relevant_comes_first(router: Router) -> None:
    asked, given, read = router.ask(QUESTION), passports(5), pieces(5)
    memories = [(row, one) for row, one in enumerate(given)]
    ranked = router.rank(asked, memories, lambda rows: [read[row] for row in rows])
    logits = router.logits(asked, router.verified(asked, given), read)
    assert [row for row, _ in ranked] == np.argsort(-logits).tolist()
    assert [logit for _, logit in ranked] == pytest.approx(sorted(logits.tolist())[::-1], abs=1e-3)
    assert router.rank(asked, [], lambda rows: []) == []


def test_only_the_likeliest_are_read_and_those_that_are_gone_left_out(router: Router) -> None:
    asked, given, read = router.ask(QUESTION), passports(40), pieces(40)
    verified = router.verified(asked, given)
    looked_at: list[int] = []

    def reader(rows: list[int]) -> list[list[int] | None]:
        looked_at.extend(rows)
        return [read[row] if row % 2 else None for row in rows]

    ranked = router.rank(asked, list(enumerate(given)), reader)
    assert looked_at == np.argsort(-verified)[:LOOKED_AT].tolist()
    assert {row for row, _ in ranked} == {row for row in looked_at if row % 2}
    assert router.rank(asked, list(enumerate(given)), lambda rows: [None] * len(rows)) == []


def test_calibration_is_a_line_through_the_log_odds(tower: TextTower, router: Router) -> None:
    plain = Router(tower.token_ids, router.encoder, router.reranker, Calibration())
    asked, read = router.ask(QUESTION), pieces(4)
    verified = router.verified(asked, passports(4))
    expected = 20.0 * plain.logits(asked, verified, read) - 10.0
    np.testing.assert_allclose(router.logits(asked, verified, read), expected, atol=1e-3)


def test_relevance_is_the_logistic() -> None:
    assert Router.relevance(0.0) == pytest.approx(0.5)
    assert Router.relevance(2.0) == pytest.approx(1 / (1 + np.exp(-2.0)))
    levels = [Router.relevance(logit) for logit in np.linspace(-9, 9, 21)]
    assert levels == sorted(levels)
    assert Router.relevance(-1e6) == pytest.approx(0.0, abs=1e-20)
    assert Router.relevance(1e6) == pytest.approx(1.0)


def test_saved_one_comes_back_with_its_calibration(
    router: Router, space: SemanticSpace, tmp_path: Path
) -> None:
    card: dict[str, Any] = {"space_id": "s", "slope": 12.5, "rivalry": 0.5, "offset": -3.25}
    save_weights(tmp_path / WEIGHTS, router.encoder, card)
    with pytest.raises(FileNotFoundError, match=r"reranker\.safetensors; remedy"):
        Router.load(space, tmp_path)
    save_weights(tmp_path / RERANKER_WEIGHTS, router.reranker, {**card, "router": "of before"})
    with pytest.raises(WeightsError, match=r"another router .* remedy: .* `ump train reranker`"):
        Router.load(space, tmp_path)
    card["router"] = digest(router.encoder)
    save_weights(tmp_path / RERANKER_WEIGHTS, router.reranker, card)
    assert (tmp_path / WEIGHTS).stat().st_size <= 25e6
    assert (tmp_path / RERANKER_WEIGHTS).stat().st_size <= 1e6
    loaded = Router.load(space, tmp_path)
    assert loaded.calibration == Calibration(12.5, 0.5, -3.25)
    question = ["Who waters the fern?"]
    assert float(loaded.route(question)[0] @ router.route(question)[0]) > 0.9999


def test_missing_or_foreign_weights_are_refused(space: SemanticSpace, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"router\.safetensors; remedy"):
        Router.load(space, tmp_path)
    save_weights(tmp_path / WEIGHTS, torch.nn.Linear(2, 2), {"space_id": "s"})
    with pytest.raises(WeightsError, match="do not fit QuestionEncoder"):
        Router.load(space, tmp_path)
    save_weights(tmp_path / WEIGHTS, torch.nn.Linear(2, 2), {"space_id": "older"})
    with pytest.raises(WeightsError, match=r"over space older, the space here is s; remedy"):
        Router.load(space, tmp_path)
