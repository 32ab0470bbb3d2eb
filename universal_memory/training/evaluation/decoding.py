"""Greedy decoding of many prepared questions at once, each with its own memories on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import torch

from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.fusion import fuse
from universal_memory.runtime.answerer import Prepared
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
    gates = torch.zeros(len(adapters), whole.rank)
    start = 0
    for row, adapter in given:
        gates[row, start : start + adapter.rank] = 1.0
        start += adapter.rank
    return whole.gated(gates)
