"""The router: questions to unit vectors, cosines to probabilities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from universal_memory.routing.router import WEIGHTS, QuestionEncoder, Router
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import CONTEXT_WIDTH, TextTower
from universal_memory.weights import WeightsError, save_weights


@pytest.fixture(scope="module")
def router(tower: TextTower) -> Router:
    torch.manual_seed(0)
    return Router(tower, QuestionEncoder(), slope=20.0, offset=-10.0)


@pytest.fixture
def space(tower: TextTower) -> SemanticSpace:
    return SemanticSpace(tower, UniversalEncoder(blocks=1), "s")


def test_padding_changes_nothing(router: Router) -> None:
    states = torch.randn(2, 9, CONTEXT_WIDTH, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[True] * 9, [True] * 5 + [False] * 4])
    padded = router.encoder(states, mask)[1:]
    alone = router.encoder(states[1:, :5], mask[1:, :5])
    torch.testing.assert_close(padded, alone, atol=1e-6, rtol=0)


def test_questions_are_unit_vectors_apart(router: Router) -> None:
    questions = ["Where is the spare key?", "", "¿Dónde está la llave? 鍵は", "tea " * 3000]
    points = router.route(questions)
    assert (points.shape, points.dtype) == ((4, 1024), np.float32)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1.0, atol=1e-5)
    assert (points @ points.T)[np.triu_indices(4, 1)].max() < 0.9999


def test_relevance_is_the_logistic_of_the_cosine(router: Router) -> None:
    assert router.logit(0.6) == pytest.approx(2.0)
    assert router.relevance(0.5) == pytest.approx(0.5)
    assert router.relevance(0.6) == pytest.approx(1 / (1 + np.exp(-2.0)))
    levels = [router.relevance(cosine) for cosine in np.linspace(-1, 1, 21)]
    assert levels == sorted(levels)


def test_extreme_calibration_does_not_overflow(tower: TextTower, router: Router) -> None:
    steep = Router(tower, router.encoder, slope=1e6, offset=0.0)
    assert steep.relevance(-1.0) == pytest.approx(0.0, abs=1e-20)
    assert steep.relevance(1.0) == pytest.approx(1.0)


def test_saved_one_comes_back_with_its_calibration(
    router: Router, space: SemanticSpace, tmp_path: Path
) -> None:
    card = {"space_id": "s", "slope": 12.5, "offset": -3.25}
    save_weights(tmp_path / WEIGHTS, router.encoder, card)
    loaded = Router.load(space, tmp_path)
    assert (loaded.slope, loaded.offset) == (12.5, -3.25)
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
