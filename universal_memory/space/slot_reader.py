"""Reading slots: which word pieces sit in the seats of a Universal Semantic Vector.

The reader belongs to the space, not to a renderer: it is trained with the encoder and frozen with
it, and every renderer, of whatever model, reads words with it. The nearest code is taken, as in an
associative memory, so what a slot carries beside a code does not blur the word.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.space.encoder import SEATS, SLOTS, Seating
from universal_memory.space.piece_codes import CODE_WIDTH, FLAGS

EMPTY = 0  # the piece [PAD]: stands where nothing can be read


@dataclass(frozen=True)
class Reading:
    """What was read, in the order of the text: seat i is seat i // 16 of slot i % 16.

    `pieces`: int64 [memories, 64], word-piece ids; `flags`: bool [memories, 64, 3] (starts with a
    capital, is in capitals, goes on with the piece before); `taken`: bool [memories, 64].
    """

    pieces: Tensor
    flags: Tensor
    taken: Tensor

    def __getitem__(self, memories: slice) -> Reading:
        """Of some of the memories."""
        return Reading(self.pieces[memories], self.flags[memories], self.taken[memories])

    def part_numbers(self) -> Tensor:
        """Which part of its memory each seat is of, -1 for an empty one: int64 [memories, 64].

        Parts stand apart by an empty seat: what was merged (`merging`). All else is one part.
        """
        begins = self.taken & ~F.pad(self.taken, (1, 0))[:, :-1]
        return (begins.cumsum(1) - 1).masked_fill(~self.taken, -1)

    def parts(self) -> list[list[list[int]]]:
        """The word pieces of every part of every memory, in order; at least one each."""
        found = []
        for pieces, numbers in zip(self.pieces, self.part_numbers(), strict=True):
            count = int(numbers.max()) + 1
            parts = [pieces[numbers == number].tolist() for number in range(count)]
            found.append(parts or [[EMPTY]])
        return found


class SlotReader(nn.Module):
    """USVs float32 [memories, 16, 256] to the word pieces in their seats.

    `codes`: float32 [vocabulary, 44] (`PieceCodes`). `seating`: of the encoder, whose seats it
    starts to read where they are written.
    """

    def __init__(self, codes: Tensor, seating: Seating | None = None) -> None:
        super().__init__()
        self.codes: Tensor
        self.register_buffer("codes", F.normalize(codes, dim=-1), persistent=False)
        self._keys: Tensor
        self._order: Tensor
        keys, order = _signs(codes).sort(stable=True)
        self.register_buffer("_keys", keys, persistent=False)
        self.register_buffer("_order", order, persistent=False)
        marks = (seating or Seating()).marks.detach()
        self.seats = nn.Parameter(marks.transpose(1, 2).clone())
        self.sharpness = nn.Parameter(torch.tensor(20.0))
        self.flag_gain = nn.Parameter(torch.full((FLAGS,), 4.0))
        self.flag_offset = nn.Parameter(torch.tensor([-2.0, 0.0, 0.0, 0.0]))

    def _read(self, usv: Tensor) -> tuple[Tensor, Tensor]:
        """Codes of unit length [memories, 64, 44] and log-odds of the flags [memories, 64, 4]."""
        seats = torch.einsum("msw,kwe->mkse", usv, self.seats).flatten(1, 2)
        codes, flags = seats.split([CODE_WIDTH, FLAGS], dim=-1)
        return F.normalize(codes, dim=-1), flags * self.flag_gain + self.flag_offset

    @torch.no_grad()
    def forward(self, usv: Tensor) -> Reading:
        """The nearest word piece of every seat that is taken."""
        codes, flags = self._read(usv.float())
        taken = flags[..., 0] > 0
        pieces = torch.zeros(taken.shape, dtype=torch.int64, device=usv.device)
        pieces[taken] = self._nearest(codes[taken])
        return Reading(pieces, flags[..., 1:] > 0, taken)

    def word_pieces(self, usv: Tensor) -> list[list[int]]:
        """The word pieces of every memory, in the order of the text; at least one each."""
        reading = self(usv)
        return [
            pieces[taken].tolist() or [EMPTY]
            for pieces, taken in zip(reading.pieces, reading.taken, strict=True)
        ]

    def _nearest(self, codes: Tensor) -> Tensor:
        """The pieces whose codes are nearest to some [seats, 44]: int64 [seats].

        No code is nearer than the one with the same signs. Nearly all are found by them; only for
        the others every code is compared.
        """
        keys = _signs(codes)
        row = torch.searchsorted(self._keys, keys).clamp(max=len(self._keys) - 1)
        pieces = self._order[row]
        other = self._keys[row] != keys
        pieces[other] = (codes[other] @ self.codes.T).argmax(-1)
        return pieces

    def loss(self, usv: Tensor, ids: Tensor, flags: Tensor, mask: Tensor) -> Tensor:
        """Cross-entropy of the word pieces that were seated, and of their flags.

        `ids` int64 [memories, pieces], `flags` -1 or +1 [memories, pieces, 4], `mask` bool: of
        `TextStates`.
        """
        seats = SEATS * SLOTS
        ids, flags, mask = ids[:, :seats], flags[:, :seats], mask[:, :seats]
        room = seats - ids.shape[1]
        ids, mask = F.pad(ids, (0, room)), F.pad(mask, (0, room))
        flags = F.pad(flags, (0, 0, 0, room))
        codes, read = self._read(usv.float())
        level = self.sharpness * codes[mask] @ self.codes.T
        words = F.cross_entropy(level, ids[mask])
        taken = F.binary_cross_entropy_with_logits(read[..., 0], mask.float())
        wanted = (flags[mask][:, 1:] > 0).float()
        return words + taken + F.binary_cross_entropy_with_logits(read[mask][:, 1:], wanted)


def _signs(codes: Tensor) -> Tensor:
    """Codes [any, 44] by their signs, as one number each: int64 [any]."""
    powers = torch.arange(CODE_WIDTH, device=codes.device)
    return ((codes > 0).long() << powers).sum(-1)
