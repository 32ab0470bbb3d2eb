"""The reranker: questions meet memories piece by piece."""

from __future__ import annotations

import pytest
import torch

from universal_memory.routing.pieces import PieceNetwork
from universal_memory.routing.reranker import NONE, Reranker, likeness, padded

QUESTION = [[2073, 2003, 9983, 7000]]
MEMORIES = [[9983, 2187, 7000], [7000], [5, 6, 7, 8, 9, 10, 11]]
SAID = torch.tensor([[1.0, -2.0, 0.5]])


@pytest.fixture(scope="module")
def reranker() -> Reranker:
    torch.manual_seed(0)
    return Reranker(PieceNetwork()).requires_grad_(False)


def test_padding_and_company_change_nothing(reranker: Reranker) -> None:
    asked, held = padded(QUESTION), padded(MEMORIES).unsqueeze(0)
    logits = reranker(asked, held, SAID)
    assert logits.shape == (1, 3)
    for place, one in enumerate(MEMORIES):
        alone = reranker(asked, padded([one]).unsqueeze(0), SAID[:, place : place + 1])
        assert float(alone) == pytest.approx(float(logits[0, place]), abs=1e-5)
    longer = padded([*QUESTION, [3] * 20])
    both = reranker(longer, held.expand(2, -1, -1), SAID.expand(2, -1))
    torch.testing.assert_close(both[:1], logits, atol=1e-5, rtol=0)


def test_what_passports_say_is_added(reranker: Reranker) -> None:
    asked, held = padded(QUESTION), padded(MEMORIES).unsqueeze(0)
    more = reranker(asked, held, SAID + 2.0) - reranker(asked, held, SAID)
    torch.testing.assert_close(more, 2.0 * reranker.trust.expand(1, 3))


def test_the_same_pieces_are_seen_with_their_neighbours() -> None:
    same = likeness(padded([[4, 5, 6]]), padded([[5, 6, NONE], [5, 9, 6]])[:1])[0]
    assert same[..., 0].nonzero().tolist() == [[1, 0], [2, 1]]
    assert same[..., 1].nonzero().tolist() == [[2, 1]]  # the piece before is the same too
    assert same[..., 2].nonzero().tolist() == [[1, 0]]  # the one behind
    assert not likeness(torch.tensor([[NONE]]), torch.tensor([[NONE]])).any()


def test_it_learns_which_belongs_to_which() -> None:
    torch.manual_seed(1)
    reranker = Reranker(PieceNetwork(), width=32)
    optimizer = torch.optim.Adam(reranker.parameters(), lr=3e-3)

    def batch() -> tuple[torch.Tensor, torch.Tensor]:
        names = torch.randint(2000, 30000, (64, 2))
        things = torch.randint(2000, 30000, (64, 2))
        asked = torch.stack([names[:, 0], things[:, 0]], 1)
        right = torch.stack([names[:, 0], things[:, 0], names[:, 1], things[:, 1]], 1)
        wrong = torch.stack([names[:, 0], things[:, 1], names[:, 1], things[:, 0]], 1)
        return asked, torch.stack([right, wrong], 1)

    said = torch.zeros(64, 2)
    for _ in range(60):
        logits = reranker(*batch(), said)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits, torch.zeros(64, dtype=torch.int64)).backward()
        optimizer.step()
    assert float((reranker(*batch(), said).argmax(1) == 0).float().mean()) > 0.9
