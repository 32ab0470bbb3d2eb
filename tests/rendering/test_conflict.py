"""Conflict between adapters: the dense figures without the dense matrices."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from universal_memory.rendering.adapter import Adapter
from universal_memory.rendering.conflict import Conflict, conflicts, cosine

LAYERS = (1, 4, 5)
D_IN, D_OUT = 12, 7


def drawn(seed: int, rank: int, layers: tuple[int, ...] = LAYERS) -> Adapter:
    random = torch.Generator().manual_seed(seed)
    keys = torch.randn(len(layers), rank, D_IN, generator=random)
    return Adapter(layers, keys, torch.randn(len(layers), rank, D_OUT, generator=random))


def times(adapter: Adapter, factor: float) -> Adapter:
    return Adapter(adapter.layers, adapter.keys, adapter.values * factor)


def flat(adapter: Adapter) -> torch.Tensor:
    return torch.cat([adapter.delta(layer).flatten() for layer in adapter.layers])


def dense_share(adapters: list[Adapter], gates: list[float], place: int) -> float:
    """The share of the others at one adapter's keys, by the dense changes."""
    sizes = []
    mine = adapters[place]
    for part in ([place], [other for other in range(len(adapters)) if other != place]):
        total = 0.0
        for at, layer in enumerate(mine.layers):
            whole = sum(gates[one] * adapters[one].delta(layer) for one in part)
            inputs = torch.nn.functional.normalize(mine.keys[at], dim=-1)
            total += float((inputs @ whole.T).square().sum())
        sizes.append(total**0.5)
    return sizes[1] / sum(sizes)


fusions = st.lists(st.builds(drawn, st.integers(0, 99), st.integers(1, 6)), min_size=2, max_size=4)
gates_of = st.floats(0.1, 1.0)


@given(st.builds(drawn, st.integers(0, 99), st.integers(1, 6)), st.integers(0, 99))
def test_cosine_is_of_the_dense_changes(first: Adapter, seed: int) -> None:
    second = drawn(seed, 3)
    wanted = torch.nn.functional.cosine_similarity(flat(first), flat(second), dim=0)
    assert cosine(first, second) == pytest.approx(float(wanted), abs=1e-5)
    assert cosine(second, first) == pytest.approx(cosine(first, second), abs=1e-6)
    assert cosine(first, times(first, -3.0)) == pytest.approx(-1.0, abs=1e-5)


@given(fusions, st.data())
def test_conflicts_are_those_of_the_dense_changes(
    adapters: list[Adapter], data: st.DataObject
) -> None:
    gates = [data.draw(gates_of) for _ in adapters]
    found = conflicts(adapters, gates)
    for place, one in enumerate(found):
        others = [other for other in adapters if other is not adapters[place]]
        wanted = max(abs(cosine(adapters[place], other)) for other in others) if others else 1.0
        assert one.cosine == pytest.approx(wanted, abs=1e-5)
        assert one.conflict == pytest.approx(dense_share(adapters, gates, place), abs=1e-4)
        assert 0.0 <= one.cosine <= 1.0 and 0.0 <= one.conflict <= 1.0


@given(fusions)
def test_order_does_not_matter(adapters: list[Adapter]) -> None:
    there, back = conflicts(adapters), conflicts(adapters[::-1])[::-1]
    for one, other in zip(there, back, strict=True):
        assert one.conflict == pytest.approx(other.conflict, abs=1e-5)
        assert one.cosine == pytest.approx(other.cosine, abs=1e-5)


def test_alone_there_is_no_conflict() -> None:
    assert conflicts([]) == []
    assert conflicts([drawn(1, 4)]) == [Conflict(0.0, 0.0)]


def test_twins_are_alike_and_equally_loud() -> None:
    one = drawn(1, 4)
    for found in conflicts([one, one]):
        assert found.cosine == pytest.approx(1.0, abs=1e-5)
        assert found.conflict == pytest.approx(0.5, abs=1e-5)


def test_keys_that_never_meet_leave_each_other_alone() -> None:
    keys = torch.eye(D_IN).expand(len(LAYERS), D_IN, D_IN)
    values = torch.ones(len(LAYERS), 2, D_OUT)
    first, second = (Adapter(LAYERS, keys[:, rows], values) for rows in ([0, 1], [2, 3]))
    assert conflicts([first, second]) == [Conflict(0.0, 0.0)] * 2


@given(gates_of, gates_of)
def test_a_louder_neighbour_disturbs_more(low: float, high: float) -> None:
    low, high = sorted((low, high))
    quiet, loud = (conflicts([drawn(1, 4), drawn(2, 3)], [1.0, gate])[0] for gate in (low, high))
    assert quiet.conflict <= loud.conflict + 1e-6
    assert quiet.cosine == pytest.approx(loud.cosine)


def test_a_closed_gate_takes_an_adapter_out() -> None:
    first, second, third = (drawn(seed, seed) for seed in (1, 2, 3))
    found = conflicts([first, second, third], [1.0, 0.0, 0.5])
    assert found[1] == Conflict()
    assert [found[0], found[2]] == conflicts([first, third], [1.0, 0.5])


def test_silent_and_empty_adapters() -> None:
    silent, empty, one = times(drawn(1, 4), 0.0), drawn(2, 0), drawn(3, 2)
    assert conflicts([silent, silent]) == [Conflict()] * 2
    found = conflicts([silent, empty, one])
    assert found[1:] == [Conflict()] * 2  # nothing fires in one; the others do not touch the other
    assert found[0] == Conflict(0.0, 1.0)


def test_of_a_large_fusion_some_layers_are_looked_at_the_last_one_always() -> None:
    adapters = [drawn(1, 4), drawn(2, 5)]
    last = [Adapter(LAYERS[-1:], adapter.keys[-1:], adapter.values[-1:]) for adapter in adapters]
    assert conflicts(adapters, most_products=1) == conflicts(last)
    assert conflicts(adapters) != conflicts(last)


def test_refusals() -> None:
    one, other = drawn(1, 2), drawn(2, 2, layers=(1, 2, 5))
    with pytest.raises(ValueError, match=r"different layers: \(1, 4, 5\) and \(1, 2, 5\)"):
        cosine(one, other)
    with pytest.raises(ValueError, match="1 gates for 2 adapters"):
        conflicts([one, one], [1.0])
