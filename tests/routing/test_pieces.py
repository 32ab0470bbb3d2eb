"""Word pieces as routing sees them: bags of lists, whatever else is looked at."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from universal_memory.routing.pieces import BAG_WIDTH, ROW, Lists, PieceNetwork

PIECES = 50
LISTS = st.lists(st.lists(st.integers(0, PIECES - 1), min_size=1, max_size=7), min_size=1)


@pytest.fixture(scope="module")
def network() -> PieceNetwork:
    torch.manual_seed(0)
    return PieceNetwork(PIECES).requires_grad_(False)


def bags(network: PieceNetwork, lists: list[list[int]]) -> torch.Tensor:
    seen = network(Lists.of(lists))
    return seen.bags(torch.linspace(0.1, 2.0, PIECES)[seen.lists.ids])


@settings(max_examples=40)
@given(LISTS)
def test_a_list_alone_is_what_it_is_among_others(lists: list[list[int]]) -> None:
    torch.manual_seed(0)
    network = PieceNetwork(PIECES).requires_grad_(False)
    together = bags(network, lists)
    apart = torch.cat([bags(network, [one]) for one in lists])
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)


@given(LISTS)
def test_every_piece_knows_its_list(lists: list[list[int]]) -> None:
    owners = Lists.of(lists).owners().tolist()
    assert owners == [row for row, pieces in enumerate(lists) for _ in pieces]


def test_bags_have_one_length(network: PieceNetwork) -> None:
    made = bags(network, [[1], [2, 3, 4, 3, 2]])
    assert made.shape == (2, BAG_WIDTH)
    torch.testing.assert_close(made.norm(dim=1), torch.full((2,), 32.0))


def test_weight_decides_what_is_in_the_bag(network: PieceNetwork) -> None:
    seen = network(Lists.of([[1, 2], [1, 3]]))
    loud = torch.tensor([1.0, 1e-4, 1.0, 1e-4])
    one, other = torch.nn.functional.normalize(seen.bags(loud))
    assert one @ other > 0.99
    one, other = torch.nn.functional.normalize(seen.bags(1.0001 - loud))
    assert one @ other < 0.9


def test_empty_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="a list of word pieces is empty"):
        Lists.of([[1], []])


def test_rows_start_as_codes_and_meanings() -> None:
    network = PieceNetwork(200)
    embeddings = torch.randn(200, 384)
    embeddings[7] = embeddings[8] + 0.01 * torch.randn(384)
    network.start_from_words(embeddings)
    codes, meanings = network.table.split(ROW // 2, dim=1)
    assert torch.cosine_similarity(codes[7], codes[8], dim=0) < 0.6
    assert torch.cosine_similarity(meanings[7], meanings[8], dim=0) > 0.9
