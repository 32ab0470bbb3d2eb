"""Parted adapters: of a merged memory only the parts that a question asks for are put on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from universal_memory.rendering.adapter import Adapter
from universal_memory.rendering.renderer import Renderer
from universal_memory.space.slot_reader import SlotReader


@dataclass(frozen=True)
class PartedAdapter:
    """The adapter of one memory, and of which of its parts each rank is: int64 [rank]."""

    adapter: Adapter
    part: Tensor

    @classmethod
    @torch.no_grad()
    def render(cls, renderer: Renderer, reader: SlotReader, usv: Tensor) -> PartedAdapter:
        """Of one memory, float32 [16, 256]; it is rendered as a whole."""
        rendered = renderer(usv.unsqueeze(0))
        numbers = reader(usv.unsqueeze(0)).part_numbers()
        return cls(rendered.adapter, numbers[0, rendered.seat])

    def opened(self, gates: Sequence[float]) -> Adapter:
        """The parts whose gate is open, each by its gate; the whole adapter if it is one part."""
        if len(gates) == 1:
            return self.adapter
        gate = torch.tensor(gates, device=self.part.device)[self.part]
        on = gate > 0
        values = self.adapter.values[:, on] * gate[on].unsqueeze(-1)
        return replace(self.adapter, keys=self.adapter.keys[:, on], values=values)
