"""What belongs together in a memory: shares of attention, and renderers with and without it."""

from __future__ import annotations

import torch

from universal_memory.rendering.word_binding import WordBinding


def binding(memories: int, seats: int, taken: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(0)
    states, tokens = torch.randn(memories, seats, 256), torch.randn(memories, seats, 24)
    return WordBinding(24)(states, tokens, taken).detach()


def test_shares_go_to_taken_seats_alone() -> None:
    taken = torch.arange(6).expand(3, 6) < torch.tensor([[6], [4], [1]])
    shares = binding(3, 6, taken).exp()
    assert torch.allclose(shares.sum(-1), torch.ones(3, 6))
    assert float(shares[1, :, 4:].max()) < 1e-6
    assert float(shares[2, :, :1].min()) > 0.999


def test_a_memory_of_nothing_gives_numbers() -> None:
    found = binding(1, 3, torch.zeros(1, 3, dtype=torch.bool))
    assert bool(torch.isfinite(found).all())


def test_what_lies_in_empty_seats_does_not_matter() -> None:
    torch.manual_seed(0)
    module = WordBinding(24)
    seats, tokens = torch.randn(1, 5, 256), torch.randn(1, 5, 24)
    taken = torch.tensor([[True, True, True, False, False]])
    before = module(seats, tokens, taken)[:, :3, :3]
    seats[:, 3:], tokens[:, 3:] = 7.0, -7.0
    assert torch.allclose(module(seats, tokens, taken)[:, :3, :3], before, atol=1e-5)
