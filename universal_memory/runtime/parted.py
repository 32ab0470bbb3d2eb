"""Parted adapters: of a memory only what a question asks for is put on, by parts and by words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from universal_memory.rendering.adapter import Adapter
from universal_memory.rendering.renderer import Renderer
from universal_memory.space.slot_reader import SlotReader

WordGating = Callable[[list[list[int]]], list[list[float]]]


@dataclass(frozen=True)
class PartedAdapter:
    """The adapter of one memory, and what each rank is of: a part and a word in it, int64 [rank].

    `words`: the word pieces of every part. A merged memory has several parts, any other has one.
    """

    adapter: Adapter
    part: Tensor
    word: Tensor
    words: list[list[int]]

    @classmethod
    @torch.no_grad()
    def render(cls, renderer: Renderer, reader: SlotReader, usv: Tensor) -> PartedAdapter:
        """Of one memory, float32 [16, 256]; it is rendered as a whole."""
        rendered = renderer(usv.unsqueeze(0))
        reading = reader(usv.unsqueeze(0))
        numbers = reading.part_numbers()[0]
        place = torch.zeros_like(numbers)
        for part in range(int(numbers.max()) + 1):
            inside = numbers == part
            place[inside] = torch.arange(int(inside.sum()), device=place.device)
        return cls(
            rendered.adapter, numbers[rendered.seat], place[rendered.seat], reading.parts()[0]
        )

    def opened(
        self, gates: Sequence[float], words: Sequence[Sequence[float]] | None = None
    ) -> OpenedAdapter:
        """The parts whose gate is open, each by its gate, and its words by theirs.

        `words`: gates of the words of every part that is open, in order; None: all are open.
        """
        of_parts = torch.tensor(gates, device=self.part.device)
        (ranks,) = (of_parts[self.part] > 0).nonzero(as_tuple=True)
        if len(gates) == 1 and words is None:
            return OpenedAdapter(self.adapter, ranks, torch.ones(len(ranks), device=ranks.device))
        room = torch.ones(len(gates), max(map(len, self.words)), device=of_parts.device)
        open_parts = [part for part, gate in enumerate(gates) if gate > 0]
        for part, row in zip(open_parts, words or (), strict=words is not None):
            room[part, : len(row)] = torch.tensor(row)
        gate = (of_parts[self.part] * room[self.part, self.word])[ranks]
        values = self.adapter.values[:, ranks] * gate.unsqueeze(-1)
        adapter = replace(self.adapter, keys=self.adapter.keys[:, ranks], values=values)
        return OpenedAdapter(adapter, ranks, gate)


@dataclass(frozen=True)
class OpenedAdapter:
    """What of a memory is put on.

    `ranks` int64 [rank]: which of the ranks of its whole adapter these are; `gate` float32 [rank]:
    how far each is open.
    """

    adapter: Adapter
    ranks: Tensor
    gate: Tensor


def opened(
    adapters: Sequence[PartedAdapter], gates: Sequence[Sequence[float]], gating: WordGating | None
) -> list[OpenedAdapter]:
    """Several memories, of each the parts whose gate is open and of those the words that are.

    `gating`: word pieces of parts to gates of the words, over all memories at once; None: every
    word is open.
    """
    if gating is None:
        return [one.opened(row) for one, row in zip(adapters, gates, strict=True)]
    parts = [
        [words for words, gate in zip(one.words, row, strict=True) if gate > 0]
        for one, row in zip(adapters, gates, strict=True)
    ]
    found = iter(gating([words for some in parts for words in some]))
    return [
        one.opened(row, [next(found) for _ in some])
        for one, row, some in zip(adapters, gates, parts, strict=True)
    ]
