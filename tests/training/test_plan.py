"""Plans: what changes on a GPU and from trained weights, and what must not."""

from __future__ import annotations

import pytest

from universal_memory.training.plan import TrainingPlan


@pytest.mark.parametrize("cores", [1, 2, 16])
def test_a_gpu_gets_whole_batches_and_some_core_makes_them(cores: int) -> None:
    plan = TrainingPlan(seed=3).on_gpu(cores)
    assert (plan.accumulate, plan.parts, plan.seed) == (1, 1, 3)
    assert 1 <= plan.workers <= max(1, cores - 2)
    assert plan.shape.recitals <= plan.shape.memories


@pytest.mark.parametrize("plan", [TrainingPlan(), TrainingPlan().on_gpu(16)])
def test_going_on_composes_at_once_and_is_careful(plan: TrainingPlan) -> None:
    later = plan.going_on()
    assert later.composition_from == 0.0
    assert later.learning_rate < plan.learning_rate
    assert later.shape.memories == plan.shape.memories
    assert sum(later.shape.fact_counts) == pytest.approx(1.0)
