"""Supersession: two memories meet piece by piece, each way."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from universal_memory.routing.reranker import padded
from universal_memory.routing.supersession import WEIGHTS, Supersession, SupersessionJudge
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.weights import WeightsError, save_weights

LATER = [[2073, 2003, 9983, 7000], [7000, 5]]
EARLIER = [[9983, 2187], [7000, 6, 7, 8]]


@pytest.fixture(scope="module")
def words() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(30_522, 32)


@pytest.fixture(scope="module")
def network(words: torch.Tensor) -> Supersession:
    torch.manual_seed(0)
    return Supersession(words, width=32).requires_grad_(False)


def test_padding_and_company_change_nothing(network: Supersession) -> None:
    both = network(padded(LATER), padded(EARLIER))
    assert both.shape == (2,)
    for row in range(2):
        alone = network(padded(LATER[row : row + 1]), padded(EARLIER[row : row + 1]))
        assert float(alone) == pytest.approx(float(both[row]), abs=1e-5)
    longer = network(padded([*LATER, [3] * 20]), padded([*EARLIER, [4] * 30]))
    torch.testing.assert_close(longer[:2], both, atol=1e-5, rtol=0)


def test_words_are_no_part_of_the_weights(network: Supersession, words: torch.Tensor) -> None:
    assert not any(words.shape[0] in one.shape for one in network.state_dict().values())


def test_it_learns_what_contradicts_and_what_does_not(words: torch.Tensor) -> None:
    """The same name and another thing; not another name, and not the same of both."""
    torch.manual_seed(1)
    network = Supersession(words, width=32, layers=2)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

    def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        name, other, thing, another = torch.randint(2000, 30000, (4, 48))
        says = torch.full((48,), 2003)
        later = torch.stack([name, says, thing], 1).repeat(3, 1)
        earlier = torch.cat(
            [torch.stack(one, 1) for one in (
                (name, says, another), (other, says, another), (name, says, thing)
            )]
        )  # fmt: skip
        return later, earlier, torch.tensor([1.0, 0.0, 0.0]).repeat_interleave(48)

    for _ in range(120):
        later, earlier, against = batch()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            network(later, earlier), against
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    later, earlier, against = batch()
    assert float(((network(later, earlier) > 0) == (against > 0)).float().mean()) > 0.9


def test_the_judge_is_loaded_with_its_threshold(
    tmp_path: Path, words: torch.Tensor
) -> None:
    tower = SimpleNamespace(words=words)
    space = cast(SemanticSpace, cast(Any, SimpleNamespace(tower=tower, space_id="here")))
    with pytest.raises(FileNotFoundError, match="remedy"):
        SupersessionJudge.load(space, tmp_path)
    torch.manual_seed(2)
    saved = Supersession(words)
    save_weights(tmp_path / WEIGHTS, saved, {"space_id": "here", "threshold": 0.25})
    judge = SupersessionJudge.load(space, tmp_path)
    assert judge.threshold == 0.25
    found = judge.probabilities(LATER, EARLIER)
    expected = saved.half().float().eval()(padded(LATER), padded(EARLIER)).sigmoid()
    assert found == pytest.approx(expected.tolist(), abs=1e-4)
    assert judge.probabilities([], []) == []
    save_weights(tmp_path / WEIGHTS, saved, {"space_id": "elsewhere"})
    with pytest.raises(WeightsError, match="elsewhere"):
        SupersessionJudge.load(space, tmp_path)
