"""Anatomy of an answer: which word of which file each of its tokens was made of.

A rank of a rendered adapter is of one token of one word piece in one seat of one slot of one file.
What it added to a token said is its direct share in the logit (`rendering.attribution`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.rendering.attribution import attribute
from universal_memory.runtime.answer import Prepared
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.parted import OpenedAdapter
from universal_memory.space.encoder import SLOTS
from universal_memory.space.seated import seated_pieces


@dataclass(frozen=True)
class Rank:
    """What a rank of the adapter is of: file, seat (0 to 63), word piece, token of the model.

    `gate`: how far its word is open for the question, 0 to 1.
    """

    memory_id: str
    seat: int
    piece: str
    token: str
    gate: float = 1.0

    @property
    def slot(self) -> int:
        """The row of the USV that the seat belongs to."""
        return self.seat % SLOTS

    @property
    def word(self) -> str:
        """The piece, and which part of it the token is, where the model takes several tokens."""
        part = self.token.strip()
        return self.piece if part == self.piece else f"{self.piece} ({part})"


@dataclass(frozen=True)
class Firing:
    """A rank at a token said: `effect` of all layers [nats], and the layer that did the most.

    `token`: number of the token; `fired`: keys·x in that layer.
    """

    token: int
    rank: Rank
    effect: float
    layer: int
    fired: float


@dataclass(frozen=True)
class Anatomy:
    """An answer from memory files, taken apart.

    `tokens`: as said, without the end. `probability`, float32 [tokens]: of each where it was said;
    `without`: had no file been put on. `fired`, `effect`: float32 [tokens, layers, ranks], as in
    `Attribution`, gates included in the effect. `manner`: effect of the manner of answering, which
    is of no file, float32 [tokens, layers].
    """

    tokens: tuple[str, ...]
    layers: tuple[int, ...]
    ranks: tuple[Rank, ...]
    probability: NDArray[np.float32]
    without: NDArray[np.float32]
    fired: NDArray[np.float32]
    effect: NDArray[np.float32]
    manner: NDArray[np.float32]

    def firings(self, count: int, token: int | None = None) -> list[Firing]:
        """Where the most was added, over all tokens or at one of them; the strongest first."""
        whole = self.effect.sum(1)
        tokens = range(len(self.tokens)) if token is None else [token]
        places = [(said, rank) for said in tokens for rank in range(len(self.ranks))]
        places.sort(key=lambda place: -whole[place])
        found = []
        for said, rank in places[:count]:
            at = int(self.effect[said, :, rank].argmax())
            effect, fired = float(whole[said, rank]), float(self.fired[said, at, rank])
            found.append(Firing(said, self.ranks[rank], effect, self.layers[at], fired))
        return found


def dissected(
    answerer: Answerer, ready: Prepared, max_tokens: int = 32
) -> tuple[str, Anatomy | None]:
    """The answer to a prepared question, and its anatomy; None where no file was put on.

    The language model is left as it was. Raises PromptTooLong, and what a store that cannot be read
    raises.
    """
    model = answerer.language_model
    said = [token for token in answerer.say(ready, max_tokens) if token != model.end_id]
    if ready.adapter is None or not said:
        return model.text(said), None
    found, without = (
        attribute(model.model, model.architecture, adapter, ready.prompt, said)
        for adapter in (ready.adapter, answerer.renderer.manner())
    )
    # The manner comes first, then the files in the order of the hits (`Answerer.prepare`).
    ranks: list[Rank] = []
    for number, hit in enumerate(ready.hits):
        put_on = ready.put_on[number] if ready.put_on else None
        ranks += ranks_of(answerer, hit.id, put_on)
    first = ready.adapter.rank - len(ranks)
    return model.text(said), Anatomy(
        tokens=tuple(str(model.tokenizer.decode([token])) for token in said),
        layers=found.layers,
        ranks=tuple(ranks),
        probability=_array(found.probability),
        without=_array(without.probability),
        fired=_array(found.fired[..., first:]),
        effect=_array(found.effect[..., first:]),
        manner=_array(found.effect[..., :first].sum(-1)),
    )


def ranks_of(
    answerer: Answerer, memory_id: str, put_on: OpenedAdapter | None = None
) -> list[Rank]:
    """What the ranks of a file's adapter are of, in their order.

    `put_on`: what of it is; None: the whole.
    """
    usv = answerer.store.get(memory_id).usv
    pieces = {piece.seat: piece.text for piece in seated_pieces(answerer.space, usv)}
    with torch.inference_mode():
        rendered = answerer.renderer(torch.from_numpy(usv[np.newaxis].copy()))
    decode = answerer.language_model.tokenizer.decode
    whole = [
        Rank(memory_id, seat, pieces[seat], str(decode([token])))
        for seat, token in zip(rendered.seat.tolist(), rendered.token.tolist(), strict=True)
    ]
    if put_on is None:
        return whole
    return [
        replace(whole[rank], gate=gate)
        for rank, gate in zip(put_on.ranks.tolist(), put_on.gate.tolist(), strict=True)
    ]


def _array(values: torch.Tensor) -> NDArray[np.float32]:
    return np.asarray(values.float().cpu().numpy())
