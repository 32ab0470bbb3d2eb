"""What goes on in two language models at the places where both have said as much of the same texts.

Their tokens differ; places are matched by the number of characters of the question, or of the
answer, that have been said, and the place where an answer starts by itself.
"""

from __future__ import annotations

import random
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.fusion import fuse
from universal_memory.rendering.renderer import Renderer
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.batches import Batch, BatchShape, Speller, collate, make_batch
from universal_memory.training.corpora import EpisodeGenerator

SHAPE = BatchShape(memories=16, recitals=8)


@dataclass(frozen=True)
class Speaker:
    """A language model with its renderer."""

    model: LanguageModel
    renderer: Renderer

    def places(self, batch: Batch, row: int) -> dict[tuple[str, int], int]:
        """Positions in a row of a batch: by part, and by characters of it that have been said."""
        ids = batch.ids[row, : int(batch.lengths[row])].tolist()
        prompt = self.model.prompt_ids(batch.questions[row].question)
        before, after = self.model.template_tokens
        # A token is as long in every vocabulary: its white space is one character there, too.
        lengths = [len(token) for token in self.model.tokenizer.convert_ids_to_tokens(ids)]
        found = {("start", 0): len(prompt) - 1}
        parts = {"question": (before, len(prompt) - after), "answer": (len(prompt), len(ids))}
        for part, (start, end) in parts.items():
            said = 0
            for position in range(start, end):
                said += lengths[position]
                found[part, said] = position
        return found


@dataclass(frozen=True)
class Activity:
    """What went on at some places: float32 [layers, places, width] each.

    `inputs`, `outputs`: of the adapted maps; `states`: hidden states before adapted attentions.
    """

    inputs: Tensor
    outputs: Tensor
    states: Tensor


class Correspondence:
    """Batches that two speakers say: the source with its memories on, the target with nothing."""

    def __init__(self, space: SemanticSpace, source: Speaker, target: Speaker, seed: int) -> None:
        self.space, self.source, self.target, self.seed = space, source, target, seed
        self._spellers = [Speller(space.tower, one.renderer.tokens) for one in (source, target)]

    @torch.no_grad()
    def observe(self, number: int) -> tuple[Activity, Activity]:
        """Source and target at the same places of the same batch; another one each `number`."""
        seed = (self.seed + 77) * 1_000_003 + number
        generator, source, target = EpisodeGenerator(seed=seed), self.source, self.target
        first = make_batch(generator, SHAPE, source.model, self._spellers[0], random.Random(seed))
        second = collate(
            first.texts, first.questions, first.gates, target.model, self._spellers[1]
        )
        rows, positions, others, places = _matched(source, target, first, second)
        return (
            _activity(source, first.ids, rows, positions, self._adapter(first)),
            _activity(target, second.ids, others, places, None),
        )

    def _adapter(self, batch: Batch) -> Adapter:
        """The source's memories and manner, each question's own."""
        renderer = self.source.renderer
        texts = self.space.tower.states(batch.written)
        rendered = renderer(self.space.encoder(texts.states, texts.mask))
        manner = renderer.manner()
        gates = batch.gates.to(rendered.memory.device)[:, rendered.memory]
        gates = torch.cat([gates, gates.new_ones(len(gates), manner.rank)], dim=1)
        return fuse([rendered.adapter, manner]).gated(gates)


def _matched(
    source: Speaker, target: Speaker, first: Batch, second: Batch
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows and positions in the first batch, then in the second, of the same places.

    The questions of the second are some of the first's.
    """
    row_of = {id(sample): row for row, sample in enumerate(first.questions)}
    found: list[tuple[int, int, int, int]] = []
    for row, sample in enumerate(second.questions):
        other = row_of[id(sample)]
        said = source.places(first, other)
        for place, position in target.places(second, row).items():
            if place in said:
                found.append((other, said[place], row, position))
    rows, positions, others, places = torch.tensor(found).unbind(1)
    return rows, positions, others, places


def _activity(
    speaker: Speaker, ids: Tensor, rows: Tensor, positions: Tensor, adapter: Adapter | None
) -> Activity:
    model, architecture = speaker.model.model, speaker.model.architecture
    config, ids = speaker.renderer.config, ids.to(speaker.model.device)
    inputs: list[Tensor] = []
    outputs: list[Tensor] = []
    states: list[Tensor] = []

    def mapped(_module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        for kept, seen in ((inputs, given[0]), (outputs, out)):
            kept.append(seen.view(*ids.shape, -1)[rows, positions].float())

    def attended(_module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        hidden = given[0] if given else named["hidden_states"]
        states.append(hidden[rows, positions].float())

    with ExitStack() as observed:
        for layer in config.layers:
            handle = architecture.target_of(model, layer).register_forward_hook(mapped)
            observed.callback(handle.remove)
        for layer in config.attention_layers:
            module = architecture.attention_of(model, layer)
            handle = module.register_forward_pre_hook(attended, with_kwargs=True)
            observed.callback(handle.remove)
        with attach(model, architecture, adapter) if adapter else nullcontext():
            model(input_ids=ids, use_cache=False, logits_to_keep=1)
    return Activity(*map(torch.stack, (inputs, outputs, states)))
