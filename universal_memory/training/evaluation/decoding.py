"""Greedy decoding of many prepared questions at once, each with its own memories on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace

import torch
from torch import Tensor

from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.fusion import fuse
from universal_memory.runtime.answer import Prepared
from universal_memory.runtime.language_model import LanguageModel


def decode(
    language_model: LanguageModel, prepared: Sequence[Prepared], max_tokens: int
) -> list[str]:
    """Answers of a batch. Its adapters are joined along the rank; gates give each its own."""
    adapter = joined([one.adapter for one in prepared])
    with (
        attach(language_model.model, language_model.architecture, adapter)
        if adapter
        else nullcontext()
    ):
        return language_model.generate([one.prompt for one in prepared], max_tokens)


def joined(adapters: Sequence[Adapter | None]) -> Adapter | None:
    """One adapter for a batch in which sample i gets adapter i alone (None: none)."""
    given = [(row, adapter) for row, adapter in enumerate(adapters) if adapter is not None]
    if not given:
        return None
    whole = fuse([adapter for _, adapter in given])
    gated = whole.gated(_gates([(row, one.rank) for row, one in given], len(adapters)))
    if whole.attention is None:
        return gated
    ranks = [(row, one.attention.rank) for row, one in given if one.attention is not None]
    return replace(gated, attention=whole.attention.gated(_gates(ranks, len(adapters))))


def _gates(ranks: Sequence[tuple[int, int]], batch: int) -> Tensor:
    """1 where a rank is of a sample, [batch, all ranks]; `ranks`: sample and rank of each."""
    gates = torch.zeros(batch, sum(rank for _, rank in ranks))
    start = 0
    for row, rank in ranks:
        gates[row, start : start + rank] = 1.0
        start += rank
    return gates
