"""Soft tokens: a USV as 16 input embeddings of a language model, a rival of the rendered LoRA.

Slot s becomes an input embedding of its own: those of the tokens of its word pieces, through a
linear map that starts as the identity, and what self-attention over all pieces makes of them
(`WordContext`), which starts at nothing. So training starts where the model reads the pieces of the
first seats in the order of the text. Corpus and loss are those of a renderer (`behaviour`), without
composition: a question has one memory before it. The renderer's manner of answering is on and
stays as it is.

A step costs far more than a renderer's: soft tokens enter below the first block, so that gradients
pass through the whole model and no hidden states can be reused (compare prefix tuning, Li & Liang
2021, and gist tokens, Mu et al. 2023).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.rendering.adapter import attach
from universal_memory.rendering.piece_tokens import NONE, spoken
from universal_memory.rendering.renderer import Renderer, renderer_name
from universal_memory.rendering.word_context import WordContext
from universal_memory.runtime.answerer import Answerer
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.encoder import SEATS, SLOT_WIDTH, SLOTS
from universal_memory.training.batches import Batch, BatchShape, Speller, make_batch
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.schedule import Schedule
from universal_memory.training.split_decoder import SplitDecoder
from universal_memory.training.timed_training import TimedTraining
from universal_memory.weights import load_weights, read_card, save_weights

FOLDER = Path("build/train/soft_tokens")
WEIGHTS = "soft_tokens.safetensors"
PARTS = 3  # of a batch, by length of the sequences

Report = Callable[[dict[str, Any]], None]


def folder_of(model: str) -> Path:
    """Where the soft tokens of a language model lie."""
    return FOLDER / renderer_name(model)


@dataclass(frozen=True)
class SoftTokenPlan(Schedule):
    """Small batches: a step on two CPU cores takes seconds.

    `recital_weight`: as for a renderer. `shape`: no composition, and no couples that need two.
    """

    warmup: int = 20
    recital_weight: float = 0.5
    shape: BatchShape = field(
        default_factory=lambda: BatchShape(
            memories=8, questions=1, composition=0.0, couples=0.0, recitals=1
        )
    )


class SoftTokens(nn.Module):
    """USVs float32 [memories, 16, 256] to input embeddings [memories, 16, width].

    `renderer`: of `language_model`; its reader and its tokens of word pieces are used, its weights
    are not.
    """

    def __init__(self, renderer: Renderer, language_model: LanguageModel) -> None:
        super().__init__()
        embeddings = renderer.surroundings.embeddings
        # In a tuple: no modules of this one.
        self._shared = (renderer, language_model.model.get_input_embeddings())
        short = min(SLOT_WIDTH, embeddings.width)
        self.seat = nn.Parameter(torch.randn(SEATS, SLOT_WIDTH))
        self.token = nn.Parameter(torch.randn(embeddings.width, short) / embeddings.width**0.5)
        self.context = WordContext(short)
        self.out = nn.Linear(SLOT_WIDTH, embeddings.width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)
        self.word = nn.Parameter(torch.eye(embeddings.width))
        self.empty = nn.Parameter(torch.zeros(SLOTS, embeddings.width))

    def forward(self, usv: Tensor) -> Tensor:
        """One embedding a slot: the sum over its seats."""
        renderer, inputs = self._shared
        reading = renderer.surroundings.reader(usv)
        tokens = spoken(renderer.tokens, reading.pieces, reading.flags)
        tokens = tokens.masked_fill(~reading.taken.unsqueeze(-1), NONE)  # [memories, 64, 4]
        slots = usv.repeat(1, SEATS, 1) + self.seat.repeat_interleave(SLOTS, dim=0)
        firsts = renderer.surroundings.embeddings.inputs(tokens[..., 0]) @ self.token
        seats = self.context(F.layer_norm(slots, (SLOT_WIDTH,)), firsts, reading.taken)
        there = (tokens != NONE).unsqueeze(-1)
        words = (inputs(tokens.clamp(min=0)).detach() * there).sum(-2)
        words = words / there.sum(-2).clamp(min=1)  # a piece of several tokens is their mean
        whole = (words @ self.word + self.out(seats)) * reading.taken.unsqueeze(-1)
        return self.empty + whole.view(len(usv), SEATS, SLOTS, -1).sum(1)

    def prompt(self, language_model: LanguageModel, ids: Tensor, usv: Tensor) -> Tensor:
        """Input embeddings [prompts, 16 + time, width] of prompts int64 [prompts, time].

        Each has the memory of its USV where text would stand: after the template's beginning.
        """
        _, inputs = self._shared
        start, _ = language_model.template_tokens
        embedded = inputs(ids).detach()
        return torch.cat([embedded[:, :start], self(usv), embedded[:, start:]], dim=1)


class SoftTokenTraining(TimedTraining):
    """Trains soft tokens over the frozen space, through the frozen model."""

    def __init__(
        self,
        network: SoftTokens,
        answerer: Answerer,
        plan: SoftTokenPlan,
        checkpoint: Path,
        report: Report,
    ) -> None:
        parameters: list[Tensor] = list(network.parameters())
        optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.01)
        super().__init__(network, optimizer, parameters, plan, checkpoint, report)
        self.network, self.plan = network, plan
        self.language_model, self.space = answerer.language_model, answerer.space
        self.manner = answerer.renderer.manner()
        self.speller = Speller(answerer.space.tower, answerer.renderer.tokens)
        self.decoder = SplitDecoder(self.language_model, answerer.renderer.config.first_layer)

    def losses(self, drawn: random.Random) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy of the answers to a batch of fresh episodes' questions."""
        generator = EpisodeGenerator(drawn.getrandbits(32))
        batch = make_batch(generator, self.plan.shape, self.language_model, self.speller, drawn)
        with torch.no_grad():
            texts = self.space.tower.states(batch.written)
            usv = self.space.encoder(texts.states, texts.mask).float()
        states, order = self._answer_states(batch, usv[batch.gates.argmax(1)])
        logits, targets = self.decoder.head(states), batch.targets[order]
        losses = F.cross_entropy(logits, targets, reduction="none")
        rows, recited = batch.rows[order], batch.recited[order]
        missed = torch.zeros(len(batch.ids))
        missed.index_add_(0, rows, (logits.argmax(-1) != targets).float())
        asked = torch.tensor([not sample.recited for sample in batch.questions])
        answers = losses[~recited].mean()
        loss = answers
        if bool(recited.any()):
            loss = loss + self.plan.recital_weight * losses[recited].mean()
        right = float((missed[asked] == 0).float().mean())
        return loss, {"loss": float(answers.detach()), "right": right}

    def _answer_states(self, batch: Batch, usv: Tensor) -> tuple[Tensor, Tensor]:
        """Final hidden states where answers are, and the batch's places they belong to.

        `usv`: one a question. Short and long sequences run apart, as in `behaviour`.
        """
        model, architecture = self.language_model.model, self.language_model.architecture
        decoder = model.get_submodule(architecture.blocks.rpartition(".")[0])
        states, order = [], []
        for part in batch.lengths.argsort().chunk(PARTS):
            ids = batch.ids[part, : int(batch.lengths[part].max())]
            embedded = self.network.prompt(self.language_model, ids, usv[part])
            with attach(model, architecture, self.manner):
                final = decoder(inputs_embeds=embedded, use_cache=False).last_hidden_state
            place = torch.full((len(batch.ids),), -1)
            place[part] = torch.arange(len(part))
            here = (place[batch.rows] >= 0).nonzero().flatten()
            states.append(final[place[batch.rows[here]], batch.positions[here] + SLOTS])
            order.append(here)
        return torch.cat(states), torch.cat(order)


def train_soft_tokens(
    answerer: Answerer,
    folder: Path,
    minutes: float,
    steps: int = 0,
    seed: int = 0,
    report: Report = lambda _: None,
) -> tuple[SoftTokens, dict[str, Any]]:
    """Soft tokens of the answerer's model, trained and written to `folder`, and their card."""
    torch.manual_seed(seed)
    network = SoftTokens(answerer.renderer, answerer.language_model)
    plan = SoftTokenPlan(minutes=minutes, steps=steps, seed=seed)
    training = SoftTokenTraining(network, answerer, plan, folder / "checkpoint.pt", report)
    training.run()
    card = {
        "model": renderer_name(answerer.language_model.name),
        "space_id": answerer.space.space_id,
        "minutes": training.seconds / 60,
        "steps": training.step,
        "seed": seed,
    }
    save_weights(folder / WEIGHTS, network, card)
    report({"event": "written", "folder": str(folder), "steps": training.step})
    return network.eval().requires_grad_(False), card


def load_soft_tokens(folder: Path, answerer: Answerer) -> tuple[SoftTokens, dict[str, Any]]:
    """Trained soft tokens and their card.

    Raises FileNotFoundError if there are none, WeightsError if they are of another space or model.
    """
    network = SoftTokens(answerer.renderer, answerer.language_model)
    load_weights(folder / WEIGHTS, network, answerer.space.space_id)
    return network.eval().requires_grad_(False), read_card(folder / WEIGHTS)
