"""The router: questions to unit vectors, passports to probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from universal_memory.routing.calibration import Calibration
from universal_memory.routing.question import QuestionEncoder
from universal_memory.routing.router import WEIGHTS, Router
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import WeightsError, save_weights

QUESTION = "Where did Anna leave the blue umbrella?"


@pytest.fixture(scope="module")
def router(tower: TextTower) -> Router:
    torch.manual_seed(0)
    return Router(tower.token_ids, QuestionEncoder(), Calibration(20.0, 0.0, -10.0))


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
    np.testing.assert_allclose(router.ask(question).vector, batch[1], atol=1e-6)


def test_order_of_the_pieces_matters(router: Router) -> None:
    one, other = router.route(["room 274", "room 472"])
    assert one @ other < 0.9999


def test_log_odds_do_not_depend_on_the_company(router: Router) -> None:
    asked, given = router.ask(QUESTION), passports(5)
    logits = router.logits(asked, given)
    assert (logits.shape, logits.dtype) == ((5,), np.float32)
    np.testing.assert_allclose(router.logits(asked, given[2:3])[0], logits[2], atol=1e-4)


def test_most_relevant_comes_first(router: Router) -> None:
    asked, given = router.ask(QUESTION), passports(5)
    ranked = router.rank(asked, [(f"m{row}", one) for row, one in enumerate(given)])
    logits = router.logits(asked, given)
    assert [name for name, _ in ranked] == [f"m{row}" for row in np.argsort(-logits)]
    assert router.rank(asked, []) == []


def test_calibration_is_a_line_through_the_log_odds(tower: TextTower, router: Router) -> None:
    plain = Router(tower.token_ids, router.encoder, Calibration())
    asked, given = router.ask(QUESTION), passports(4)
    expected = 20.0 * plain.logits(asked, given) - 10.0
    np.testing.assert_allclose(router.logits(asked, given), expected, atol=1e-3)


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
    card = {"space_id": "s", "slope": 12.5, "rivalry": 0.5, "offset": -3.25}
    save_weights(tmp_path / WEIGHTS, router.encoder, card)
    assert (tmp_path / WEIGHTS).stat().st_size <= 25e6
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
