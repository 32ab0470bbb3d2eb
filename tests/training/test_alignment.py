"""Contrastive alignment: the loss is what it says, it pulls USVs to views, and runs resume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from test_behaviour import start, weights
from torch import Tensor

from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.text_tower import TextTower
from universal_memory.training import alignment, batches
from universal_memory.training.alignment import Alignment
from universal_memory.training.batches import BatchShape
from universal_memory.training.behaviour import BehaviourTraining
from universal_memory.training.checkpoint import CheckpointError
from universal_memory.training.plan import TrainingPlan
from universal_memory.training.views import open_views

PLAN = TrainingPlan(
    steps=4, accumulate=1, warmup=2, checkpoint_minutes=0.0,
    shape=BatchShape(memories=6, questions=1),
)  # fmt: skip


class Lettered:
    """A view that sees how often each letter is in a text."""

    name, width = "lettered", 26

    def __call__(self, texts: Sequence[str]) -> Tensor:
        letters = "abcdefghijklmnopqrstuvwxyz"
        return torch.tensor([[float(text.count(one)) for one in letters] for text in texts])


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "BANK", 24)
    monkeypatch.setattr(batches, "MAX_TOKENS", 128)


def usvs(texts: Sequence[str]) -> Tensor:
    """What linear heads can align with letters, beside what all have in common."""
    seed = torch.Generator().manual_seed(3)
    mixing = torch.randn(26, 16 * 256, generator=seed)
    return (Lettered()(texts) @ mixing + 9.0).view(-1, 16, 256)


def aligned() -> Alignment:
    torch.manual_seed(0)
    found = Alignment([Lettered()], 0.5)
    found.start(usvs)
    return found


def test_start_standardises_a_view_and_fills_its_bank() -> None:
    head = aligned()._heads()[0]
    torch.testing.assert_close(head.bank.mean(0), torch.zeros(26), atol=1e-5, rtol=0)
    spread = head.bank.std(0)
    assert ((spread - 1).abs() < 1e-3).logical_or(spread == 0).all()


def test_a_loss_that_knows_nothing_is_that_of_chance() -> None:
    found = aligned()
    with torch.no_grad():
        found.usv_head.weight.zero_()
        found.usv_head.bias.fill_(1.0)
        found._heads()[0].linear.weight.zero_()
    texts = ["keys", "tea", "box", "door"]
    chance = (math.log(4 + 24) + math.log(4)) / 2
    with torch.no_grad():
        loss = float(found(usvs(texts), texts))
    assert loss == pytest.approx(chance, abs=1e-4)


def test_the_bank_takes_in_what_was_seen_last() -> None:
    found = aligned()
    head = found._heads()[0]
    before = head.bank
    found(usvs(["keys", "tea"]), ["keys", "tea"])
    torch.testing.assert_close(head.bank[:2], head._standard(Lettered()(["keys", "tea"])))
    torch.testing.assert_close(head.bank[2:], before[:-2])
    found.eval()
    after = head.bank
    found(usvs(["box"]), ["box"])
    assert head.bank is after


def test_gradients_pull_usvs_to_what_the_view_sees() -> None:
    found = aligned().eval()  # the same texts again would be their own negatives in the bank
    texts = ["keys in the hall", "weak tea", "the box", "a door", "mira", "one dog", "two cats"]
    usv = torch.randn(len(texts), 16, 256, generator=torch.Generator().manual_seed(1))
    usv.requires_grad_()
    optimizer = torch.optim.Adam([usv, *found.parameters()], lr=0.01)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = found(usv, texts)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]


def begin(
    folder: Path, tower: TextTower, tokens: Tensor, checkpoint: Path, weight: float | None
) -> BehaviourTraining:
    model = LanguageModel(str(folder))
    torch.manual_seed(5)
    views = open_views(["minilm", model.name], tower, [model])
    extra = None if weight is None else Alignment(views, weight)
    return start(model, tower, PLAN, checkpoint, tokens, extra=extra)


def test_an_aligned_run_resumes_to_the_bit_and_is_another_one(
    tiny_folder: Path,
    small_tower: TextTower,
    tokens: Tensor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = begin(tiny_folder, small_tower, tokens, tmp_path / "whole.pt", 0.5)
    whole.run()
    assert whole.aligned_loss > 0.0

    cut = begin(tiny_folder, small_tower, tokens, tmp_path / "cut.pt", 0.5)
    train_step = cut._train_step

    def until_the_power_goes() -> dict[str, float]:
        if cut.step == 2:
            raise KeyboardInterrupt
        return train_step()

    monkeypatch.setattr(cut, "_train_step", until_the_power_goes)
    with pytest.raises(KeyboardInterrupt):
        cut.run()
    resumed = begin(tiny_folder, small_tower, tokens, tmp_path / "cut.pt", 0.5)
    assert resumed.step == 2
    resumed.run()
    wanted = weights(whole)
    assert all(torch.equal(value, wanted[name]) for name, value in weights(resumed).items())
    assert whole.alignment is not None and resumed.alignment is not None
    heads = whole.alignment.state_dict()
    assert all(torch.equal(value, heads[name])
               for name, value in resumed.alignment.state_dict().items())  # fmt: skip

    with pytest.raises(CheckpointError, match="aligned with minilm"):
        begin(tiny_folder, small_tower, tokens, tmp_path / "cut.pt", None)


def test_alignment_changes_the_encoder_and_at_weight_nothing_nothing_else(
    tiny_folder: Path, small_tower: TextTower, tokens: Tensor, tmp_path: Path
) -> None:
    found = {}
    for weight in (None, 0.0, 0.5):
        training = begin(tiny_folder, small_tower, tokens, tmp_path / f"{weight}.pt", weight)
        batch = next(training.batches)
        training.loss(batch)[0].backward()
        found[weight] = [None if p.grad is None else p.grad.clone()
                         for p in training.encoder.parameters()]  # fmt: skip
    plain, silent, aligned_ = found[None], found[0.0], found[0.5]
    for one, two in zip(plain, silent, strict=True):
        assert (one is None) == (two is None)
        assert one is None or two is None or torch.allclose(one, two, atol=1e-6)
    assert any(
        one is not None and two is not None and not torch.allclose(one, two, atol=1e-4)
        for one, two in zip(plain, aligned_, strict=True)
    )
