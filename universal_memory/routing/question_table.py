"""What a single question needs of the encoder, in the fewest bytes: one is bound by memory.

Most of what the network makes of a word piece depends on that piece alone. It is made of all pieces
once, when a router is loaded, so that a question reads a few rows and not the matrices behind them.
Those of the head are kept in the half precision in which they lie on disk (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from universal_memory.routing.pieces import PAIR_WIDTH, WORD_WIDTH, Lists, Seen
from universal_memory.routing.question import PASSPORT_WIDTH, QuestionEncoder

_PARTS = (WORD_WIDTH, PAIR_WIDTH, PAIR_WIDTH)  # of a row: alone, as first of a pair, as second
_BLOCK = 2048
_ONE = 127.0


class QuestionTable:
    """Single questions to the passport space, as `QuestionEncoder` does it but for rounding.

    A copy: what is trained afterwards does not show. 63 MB for 30,522 pieces.
    """

    @torch.inference_mode()
    def __init__(self, encoder: QuestionEncoder) -> None:
        pieces, head = encoder.pieces, encoder.head
        weight = torch.cat([pieces.own.weight, pieces.first.weight, pieces.second.weight])
        bias = torch.cat([pieces.own.bias, pieces.first.bias, torch.zeros(PAIR_WIDTH)])
        self._codes = torch.empty(len(pieces.table), sum(_PARTS), dtype=torch.int8)
        self._steps = torch.empty(len(pieces.table), len(_PARTS))
        for start in range(0, len(pieces.table), _BLOCK):
            block = slice(start, start + _BLOCK)
            parts = F.linear(pieces.table[block], weight, bias).split(_PARTS, dim=1)
            codes = self._codes[block].split(_PARTS, dim=1)
            for number, part in enumerate((F.gelu(parts[0]), *parts[1:])):
                step = part.abs().amax(dim=1, keepdim=True).clamp(min=1e-20) / _ONE
                self._steps[block, number] = step[:, 0]
                codes[number].copy_((part / step).round_())
        self._emphasis = encoder.emphasis.exp()
        inner_weight, inner_bias, last_weight, last_bias = head.deep.parameters()
        self._wide = torch.cat([head.linear.weight, inner_weight]).half()
        self._inner_bias = inner_bias.detach().clone()
        self._last = last_weight.detach().half()
        self._bias = head.linear.bias + last_bias

    @torch.inference_mode()
    def __call__(self, pieces: Sequence[int]) -> tuple[Seen, Tensor]:
        """What is seen of a question's pieces, at least one, and its point [1, 1024]."""
        ids = torch.tensor(pieces)
        rows, steps = self._codes[ids].float(), self._steps[ids]
        words, first, second = rows.split(_PARTS, dim=1)
        words = words * steps[:, :1]
        pairs = F.gelu(first[:-1] * steps[:-1, 1:2] + second[1:] * steps[1:, 2:])
        weights = self._emphasis[ids]
        place = torch.arange(len(pieces))
        seen = Seen(Lists(ids, place[:1]), words, place, pairs, place[:-1], place[:-1])
        bag = torch.cat([weights @ words, seen.pair_weights(weights) @ pairs])
        bag = bag * (32.0 / bag.norm().clamp(min=1e-12))
        wide = F.linear(bag.half(), self._wide).float()
        plain, inner = wide[:PASSPORT_WIDTH], wide[PASSPORT_WIDTH:]
        deep = F.linear(F.gelu(inner + self._inner_bias).half(), self._last).float()
        return seen, F.normalize(plain + deep + self._bias, dim=0).unsqueeze(0)
