"""The renderer: a hypernetwork, one per architecture, from a USV to an adapter.

Each word piece in a slot's seat is a rank or a few: for every adapted layer a key (when to fire, in
the space of the down projection's input) and a value (what to add to the residual stream), as in
the reading of MLPs as key-value memories (Geva et al. 2021). A value says a token of the piece,
with the model's own output embedding; a key knows what the piece is to the memory, which two tokens
were said just before it, and which of the memory's words it belongs with. A small LoRA shared by
all memories carries the manner of answering and belongs to the renderer, not to a memory. It also
changes attention: what a question's words wake in the memory has to get to where the answer starts.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.rendering.adapter import Adapter, LowRank
from universal_memory.rendering.architecture import ArchitectureMap
from universal_memory.rendering.piece_tokens import (
    FORMS,
    MOST_TOKENS,
    NONE,
    after_bare_space,
    spoken,
)
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.rendering.word_binding import WordBinding
from universal_memory.rendering.word_context import WordContext
from universal_memory.resources import models_dir
from universal_memory.routing.gates import Gates
from universal_memory.space.encoder import SEATS, SLOT_WIDTH, SLOTS
from universal_memory.space.slot_reader import SlotReader
from universal_memory.weights import load_weights, read_card

ATTENTION_WIDTH = 64
# What knows of memories alone, and of no model: parameters, by how their names begin.
OF_MEMORIES = ("seat", "trunk.", "attention.", "context.", "binding.", "key_rest")


def renderer_name(model: str) -> str:
    """What the renderer of a language model (a name, a folder, OWNER/NAME) is called."""
    path = Path(model)
    return path.resolve().name if path.is_dir() else path.name


def renderer_weights(model: str) -> Path:
    """Where in a models folder the renderer of a language model lies."""
    return Path("renderers") / renderer_name(model) / "renderer.safetensors"


class RendererNotFoundError(FileNotFoundError):
    """No trained renderer fits the model and the space."""


@dataclass(frozen=True)
class RendererConfig:
    """What a renderer writes to.

    `layers`: adapted block numbers. `d_in`, `d_out`: sizes of the adapted map, `d_out` that of the
    hidden states too. `manner_rank`, `attention_rank`: ranks of the shared LoRA, in the adapted map
    and before attention, there in `attention_layers`. `fingerprint`: of the architecture map.
    `space_id`: the space it reads. `gate_half`, `gate_temperature`, `gate_drop_below`: of the gates
    of its memories.
    """

    layers: tuple[int, ...]
    attention_layers: tuple[int, ...]
    d_in: int
    d_out: int
    fingerprint: str
    space_id: str
    manner_rank: int = 8
    attention_rank: int = 16
    hidden: int = 1024
    gate_half: float = Gates.half
    gate_temperature: float = Gates.temperature
    gate_drop_below: float = Gates.drop_below

    @property
    def first_layer(self) -> int:
        """The lowest block that is changed."""
        return min(self.layers[0], self.attention_layers[0])

    @property
    def gates(self) -> Gates:
        """How much of each memory is put on where there are several."""
        return Gates(self.gate_half, self.gate_temperature, self.gate_drop_below)

    def gated_like(self, other: RendererConfig) -> RendererConfig:
        """The same with the gates of another one."""
        return replace(
            self,
            gate_half=other.gate_half,
            gate_temperature=other.gate_temperature,
            gate_drop_below=other.gate_drop_below,
        )

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> RendererConfig:
        """The configuration in a renderer's card; what it does not say is as by default."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in card["config"].items() if name in known}
        layers = tuple(values["layers"])
        attention_layers = tuple(values.get("attention_layers", layers))
        return cls(**{**values, "layers": layers, "attention_layers": attention_layers})

    @classmethod
    def for_architecture(
        cls, architecture: ArchitectureMap, space_id: str, first_layer: int | None = None
    ) -> RendererConfig:
        """Memories in the upper two fifths of the blocks, or in all from `first_layer` on.

        What a question asks for is made out below them: attention is changed in the upper four
        fifths.
        """
        first = round(architecture.layers * 0.6) if first_layer is None else first_layer
        first_attention = min(first, round(architecture.layers * 0.2))
        return cls(
            layers=tuple(range(first, architecture.layers)),
            attention_layers=tuple(range(first_attention, architecture.layers)),
            d_in=architecture.d_in,
            d_out=architecture.d_out,
            fingerprint=architecture.fingerprint,
            space_id=space_id,
        )


@dataclass(frozen=True)
class RenderedMemories:
    """The adapter of several memories, and what each of its ranks is of.

    All int64 [rank]: `memory`; `seat`, whose slot is its remainder by 16 (`Reading`); `token`, that
    the rank says. `binding`: of the seats (`WordBinding`).
    """

    adapter: Adapter
    memory: Tensor
    seat: Tensor
    token: Tensor
    binding: Tensor


@dataclass(frozen=True)
class Surroundings:
    """What a renderer works with that is not its own: the space's reader, the model's words."""

    reader: SlotReader
    embeddings: TokenEmbeddings


class Renderer(nn.Module):
    """USVs to adapters, and the shared manner adapter.

    `tokens`: int64 [6, word pieces, 4], how the model writes the space's pieces (`piece_tokens`);
    it is part of the weights. All None for a renderer whose weights are loaded after.
    """

    def __init__(
        self,
        config: RendererConfig,
        reader: SlotReader,
        embeddings: TokenEmbeddings,
        tokens: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.surroundings = Surroundings(reader, embeddings)
        self.tokens: Tensor
        self.key_scale: Tensor
        self.value_scale: Tensor
        count, width = len(config.layers), SLOT_WIDTH
        if tokens is None:
            tokens = torch.full((FORMS, len(reader.codes), MOST_TOKENS), NONE)
        self.register_buffer("tokens", tokens)
        self.seat = nn.Parameter(torch.randn(SEATS, width))
        self.trunk = nn.Sequential(
            nn.Linear(width, config.hidden), nn.GELU(), nn.Linear(config.hidden, width)
        )
        self.attention = nn.Linear(width, 2 * ATTENTION_WIDTH)
        self.context = WordContext(min(width, embeddings.width))
        # The model's tokens in few dimensions: the two said before one, and those of the words it
        # belongs with.
        short = min(width, embeddings.width)
        self.token = nn.Parameter(torch.randn(embeddings.width, short) / embeddings.width**0.5)
        self.binding = WordBinding(short)
        self.key = nn.Parameter(torch.randn(count, width, config.d_in) * 0.1 / width**0.5)
        self.key_after = nn.Parameter(torch.randn(count, short, config.d_in) / short**0.5)
        self.key_after_two = nn.Parameter(torch.zeros(count, short, config.d_in))
        self.key_with = nn.Parameter(torch.randn(count, short, config.d_in) * 0.1 / short**0.5)
        self.key_bound = nn.Parameter(torch.randn(count, short, config.d_in) * 0.1 / short**0.5)
        self.key_rest = nn.Parameter(torch.zeros(()))  # share of `key` in a piece's later tokens
        self.value = nn.Parameter(torch.randn(count, width, config.d_out) * 2e-3)
        self.word = nn.Parameter(torch.eye(embeddings.output_width, config.d_out))
        self.word_gain = nn.Parameter(torch.zeros(count, 2, 1))  # of first tokens, of later ones
        rank = config.manner_rank
        self.manner_key = nn.Parameter(torch.randn(count, rank, config.d_in))
        self.manner_value = nn.Parameter(torch.zeros(count, rank, config.d_out))
        shape = len(config.attention_layers), config.attention_rank, config.d_out
        self.manner_attention_key = nn.Parameter(torch.randn(shape) / config.d_out**0.5)
        self.manner_attention_value = nn.Parameter(torch.zeros(shape))
        # Set by `calibrate`: inputs of a down projection differ a thousandfold between dimensions.
        self.register_buffer("key_scale", torch.ones(count, 1, config.d_in))
        self.register_buffer("value_scale", torch.ones(count, 1, 1))

    @classmethod
    def load(
        cls,
        architecture: ArchitectureMap,
        space_id: str,
        reader: SlotReader,
        embeddings: TokenEmbeddings,
        folder: Path | None = None,
    ) -> Renderer:
        """The trained renderer of `architecture` that reads the space `space_id`.

        Raises RendererNotFoundError, naming the renderers there are, if there is none.
        """
        root = (folder or models_dir()) / "renderers"
        found = []
        for path in sorted(root.glob("*/renderer.safetensors")):
            config = RendererConfig.from_card(read_card(path))
            found.append(f"{path.parent.name} (space {config.space_id})")
            if (config.fingerprint, config.space_id) == (architecture.fingerprint, space_id):
                return cls.of_file(path, reader, embeddings)
        raise RendererNotFoundError(
            f"no renderer for this {architecture.model_type} model ({architecture.layers} layers,"
            f" {architecture.d_in} -> {architecture.d_out}) and space {space_id};"
            f" there are: {', '.join(found) or 'none'};"
            " remedy: `ump train renderer --model ...`"
        )

    @classmethod
    def of_file(cls, path: Path, reader: SlotReader, embeddings: TokenEmbeddings) -> Renderer:
        """The trained renderer in a weights file, whatever model it is for."""
        renderer = cls(RendererConfig.from_card(read_card(path)), reader, embeddings)
        load_weights(path, renderer)
        return renderer.eval().requires_grad_(False)

    def forward(self, usv: Tensor) -> RenderedMemories:
        """One adapter of all memories [memories, 16, 256]: a rank a token of their word pieces."""
        taken, tokens, telling = self._spoken(usv)
        words = self._words(tokens, telling)
        seats = self.context(self._seats(usv, taken.shape[1]), words, taken)
        belongs = self._belongs_with(seats, words, tokens[..., 0] != NONE)
        memory, seat, place = (tokens != NONE).nonzero().unbind(-1)
        said = tokens[memory, seat, place]
        first = (place == 0).unsqueeze(-1)
        own = seats[memory, seat]
        to_tell = (place <= telling[memory, seat]).unsqueeze(-1)
        keys = torch.matmul(torch.where(to_tell, own, self.key_rest * own), self.key)
        keys = keys + torch.matmul(self._short(earlier(said, memory, 1)), self.key_after)
        keys = keys + torch.matmul(self._short(earlier(said, memory, 2)), self.key_after_two)
        keys = keys + torch.matmul(belongs[memory, seat] * to_tell, self.key_with)
        binding = self.binding(seats, words, taken)
        bound = binding.exp().to(words.dtype) @ words
        keys = keys + torch.matmul(bound[memory, seat] * to_tell, self.key_bound)
        spoken_words = self.surroundings.embeddings.outputs(said) @ self.word
        gain = torch.where(first, self.word_gain[:, :1], self.word_gain[:, 1:])
        values = gain * spoken_words + torch.matmul(own * first, self.value)
        return RenderedMemories(self._scaled(keys, values), memory, seat, said, binding)

    def bound(self, usv: Tensor) -> Tensor:
        """What belongs together in memories [memories, 16, 256]: as `WordBinding` gives it."""
        taken, tokens, telling = self._spoken(usv)
        with torch.no_grad():
            words = self._words(tokens, telling)
            seats = self.context(self._seats(usv, taken.shape[1]), words, taken)
        found: Tensor = self.binding(seats, words, taken)
        return found

    def _spoken(self, usv: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Which seats are taken, bool [memories, used], and their pieces' tokens [.., used, 4].

        And the place of the first token that tells one piece from another, int64 [memories, used]:
        a tokenizer may write a bare space before a digit, the same for every number.
        """
        reading = self.surroundings.reader(usv)
        used = _used(reading.taken)
        taken = reading.taken[:, :used]
        pieces, flags = reading.pieces[:, :used], reading.flags[:, :used]
        tokens = spoken(self.tokens, pieces, flags).masked_fill(~taken.unsqueeze(-1), NONE)
        return taken, tokens, after_bare_space(self.tokens, pieces, flags).long()

    def _words(self, tokens: Tensor, telling: Tensor) -> Tensor:
        """Pieces by the token that tells them apart, in few dimensions."""
        return self._short(tokens.gather(-1, telling.unsqueeze(-1)).squeeze(-1))

    def _seats(self, usv: Tensor, used: int) -> Tensor:
        """What the first seats are to their memory, in the order of the text."""
        slots = usv.repeat(1, SEATS, 1)[:, :used]
        seat = self.seat.repeat_interleave(SLOTS, dim=0)[:used]
        return F.layer_norm(slots + self.trunk(slots + seat), (SLOT_WIDTH,))

    def _short(self, tokens: Tensor) -> Tensor:
        """Input embeddings of tokens in few dimensions; zero where there is none."""
        return self.surroundings.embeddings.inputs(tokens) @ self.token

    def _belongs_with(self, seats: Tensor, words: Tensor, there: Tensor) -> Tensor:
        """Tokens of the other words of the memory that a seat belongs with: as `seats`."""
        query, key = self.attention(seats).chunk(2, dim=-1)
        scores = query @ key.mT / ATTENTION_WIDTH**0.5
        scores = scores.masked_fill(~there.unsqueeze(1), -1e4)
        return scores.softmax(-1) @ words

    def manner(self) -> Adapter:
        """The shared LoRA: the manner of answering, no memory in it."""
        manner = self._scaled(self.manner_key, self.manner_value)
        attention = LowRank(
            self.config.attention_layers, self.manner_attention_key, self.manner_attention_value
        )
        return replace(manner, attention=attention)

    def _scaled(self, keys: Tensor, values: Tensor) -> Adapter:
        scale = self.value_scale * self.config.d_in**-0.5
        return Adapter(self.config.layers, keys * self.key_scale, values * scale)

    @torch.no_grad()
    def calibrate(self, inputs: Tensor, outputs: Tensor) -> None:
        """Fit the scales to the adapted maps' inputs and outputs: [layers, samples, d_in or d_out].

        Keys then see inputs of unit size in every dimension, and a value of size one is a tenth of
        what the map itself writes in its median dimension.
        """
        peak = inputs.square().mean(1, keepdim=True).sqrt()
        self.key_scale.copy_(1.0 / peak.clamp(min=0.1 * float(peak.median())))
        typical = outputs.square().mean(1, keepdim=True).sqrt()
        self.value_scale.copy_(0.1 * typical.median(2, keepdim=True).values)

    @torch.no_grad()
    def render(self, usv: Tensor) -> Adapter:
        """The adapter of one memory, float32 [16, 256], without the manner.

        Its rank is the number of tokens that the model has for the memory's word pieces.
        """
        return self(usv.unsqueeze(0)).adapter


def _used(taken: Tensor) -> int:
    """Seats up to the last one that is taken in any memory, at least one: most texts are short."""
    numbers = torch.arange(1, taken.shape[1] + 1, device=taken.device)
    return int((taken.any(0) * numbers).max().clamp(min=1))


def earlier(tokens: Tensor, memory: Tensor, steps: int) -> Tensor:
    """The token so many `steps` before each in its memory, -1 before its first: int64 [tokens].

    `tokens`, `memory`: int64 [tokens], in the order of the text, memory after memory.
    """
    before = F.pad(tokens, (steps, 0), value=NONE)[: len(tokens)]
    same = F.pad(memory, (steps, 0), value=-1)[: len(tokens)] == memory
    return before.masked_fill(~same, NONE)
