"""The behavioural loss: the frozen model, given only the question and the rendered adapter, must
say the answer.

One loop trains a space together with its reference renderer (`train_encoder=True`), or a renderer
alone over a frozen space.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.fusion import fuse
from universal_memory.rendering.renderer import OF_MEMORIES, Renderer, renderer_name
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.training.alignment import Alignment
from universal_memory.training.batch_stream import BatchStream
from universal_memory.training.batches import Batch, BatchShape, Speller, make_batch
from universal_memory.training.checkpoint import CheckpointError, load_state, save_state
from universal_memory.training.corpora import EpisodeGenerator
from universal_memory.training.mixed_precision import fast_bfloat16, to_mixed_precision
from universal_memory.training.muon import Muon
from universal_memory.training.plan import TrainingPlan
from universal_memory.training.pointed_gates import SHARE, PointedGates
from universal_memory.training.split_decoder import SplitDecoder
from universal_memory.training.warm_start import start_keys, start_words

MAPS = frozenset(
    ("key", "key_after", "key_after_two", "key_with", "key_bound", "value", "token", "word")
)
START_BATCHES, START_MEMORIES = 12, 16  # what the closed form reads; more only costs memory


class BehaviourTraining:
    """State of one training run: `run` goes on from the checkpoint, if there is one.

    `alignment`: a further loss of the space, where the encoder is trained. `pointed`: opens the
    words of memories as they are when a robot is asked; None: all are open.
    """

    def __init__(
        self,
        language_model: LanguageModel,
        tower: TextTower,
        encoder: UniversalEncoder,
        reader: SlotReader,
        renderer: Renderer,
        plan: TrainingPlan,
        checkpoint: Path,
        train_encoder: bool,
        report: Callable[[dict[str, Any]], None],
        calibrated: bool = False,
        alignment: Alignment | None = None,
        pointed: PointedGates | None = None,
    ) -> None:
        self.language_model, self.tower, self.pointed = language_model, tower, pointed
        self.encoder, self.reader, self.renderer = encoder, reader, renderer
        self.speller = Speller(tower, renderer.tokens)
        self.plan, self.checkpoint, self.report = plan, checkpoint, report
        self.train_encoder, self.alignment = train_encoder, alignment
        self.device = language_model.device
        self.fast = fast_bfloat16(self.device)
        if self.fast:
            to_mixed_precision(language_model.model)
            to_mixed_precision(tower.model)
        self.decoder = SplitDecoder(language_model, renderer.config.first_layer)
        self.optimizers = _optimizers(
            renderer, nn.ModuleList([encoder, reader]) if train_encoder else None, alignment, plan
        )
        self.parameters: list[Tensor] = [
            parameter
            for optimizer in self.optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        ]
        self.stream = BatchStream(plan, language_model, self.speller)
        self.step, self.seconds = 0, 0.0
        self.recital_loss = self.words_loss = self.aligned_loss = self.binding_loss = 0.0
        if not self._resume():
            if not calibrated:
                self._start()
            if alignment is not None:
                alignment.start(self._encode)

    @cached_property
    def batches(self) -> Iterator[Batch]:
        """The batches from the step on at which the training is when they are first asked for."""
        return self.stream.start(self.step * self.plan.accumulate)

    @property
    def progress(self) -> float:
        """Share of the schedule done, 0 to 1."""
        return self.plan.progress(self.step, self.seconds)

    def run(self) -> None:
        """Train to the end of the plan, writing checkpoints and reports."""
        saved = time.monotonic()
        smooth: dict[str, float] = {}
        while self.progress < 1.0:
            started = time.monotonic()
            self.stream.progress = self.progress
            measured = self._train_step()
            for name, value in measured.items():
                smooth[name] = 0.95 * smooth.get(name, value) + 0.05 * value
            self.step += 1
            self.seconds += time.monotonic() - started
            if self.step % 20 == 0:
                self.report({"step": self.step, "progress": self.progress,
                             "minutes": self.seconds / 60, **smooth})  # fmt: skip
            if self.step % self.plan.validate_every == 0:
                self.report({"step": self.step, **self.validate()})
            if time.monotonic() - saved > 60 * self.plan.checkpoint_minutes:
                self.save()
                saved = time.monotonic()
        self.save()

    def loss(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy of the answer tokens, and which questions are right to the token.

        While the encoder is trained, with the reader's loss: what sits in the seats must stay
        legible.
        """
        texts = self.tower.states(batch.written)
        with (
            torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.fast),
            torch.set_grad_enabled(self.train_encoder and torch.is_grad_enabled()),
        ):
            usv = self.encoder(texts.states, texts.mask).float()
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.fast):
            rendered, manner = self.renderer(usv), self.renderer.manner()
            adapter = fuse([rendered.adapter, manner])
        if self.fast:
            keys, values = adapter.keys.bfloat16(), adapter.values.bfloat16()
            adapter = replace(adapter, keys=keys, values=values)
        gates = batch.gates.to(self.device)[:, rendered.memory]
        if self.pointed is not None:
            gates = gates * self._words_open(batch)[:, rendered.memory, rendered.seat]
        gates = torch.cat([gates, gates.new_ones(len(gates), manner.rank)], dim=1)
        states, order = self._answer_states(batch, adapter, gates)
        logits = self.decoder.head(states).float()
        targets = batch.targets[order].to(self.device)
        wrong = (logits.argmax(-1) != targets).float()
        missed = torch.zeros(len(batch.ids), device=self.device)
        missed.index_add_(0, batch.rows[order].to(self.device), wrong)
        losses = F.cross_entropy(logits, targets, reduction="none")
        recited = batch.recited[order].to(self.device)
        loss = losses[~recited].mean()
        if bool(recited.any()):
            self.recital_loss = float(losses[recited].mean().detach())
            loss = loss + self.plan.recital_weight * losses[recited].mean()
        if batch.bonds is not None and torch.is_grad_enabled():
            binding = batch.bonds.loss(rendered.binding)
            self.binding_loss = float(binding.detach())
            loss = loss + self.plan.binding_weight * binding
        if self.train_encoder and torch.is_grad_enabled():
            words = self.reader.loss(usv, texts.ids, texts.flags, texts.mask)
            self.words_loss = float(words.detach())
            loss = loss + self.plan.words_weight * words
            if self.alignment is not None:
                aligned = self.alignment(usv, batch.texts)
                self.aligned_loss = float(aligned.detach())
                loss = loss + self.alignment.weight * aligned
        return loss, missed == 0

    def _words_open(self, batch: Batch) -> Tensor:
        """Gates of words: in training of a share of the questions, else of all of them."""
        assert self.pointed is not None
        share = SHARE if torch.is_grad_enabled() else 1.0
        drawn = random.Random(f"{self.plan.seed} words {self.step}")
        return self.pointed(batch, drawn, share).to(self.device)

    def _encode(self, texts: list[str]) -> Tensor:
        states = self.tower(texts)
        usv: Tensor = self.encoder(states.states, states.mask)
        return usv

    def _answer_states(
        self, batch: Batch, adapter: Adapter, gates: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Final hidden states where answers are, and the batch's places they belong to.

        Short and long sequences run apart, so that the short ones are not padded to the long.
        """
        states, order = [], []
        for part in batch.lengths.argsort().chunk(self.plan.parts):
            ids = batch.ids[part, : int(batch.lengths[part].max())].to(self.device)
            hidden = self.decoder.below(ids)
            own = adapter.gated(gates[part.to(self.device)])
            with attach(self.language_model.model, self.language_model.architecture, own):
                final = self.decoder.above(hidden)
            place = torch.full((len(batch.ids),), -1)
            place[part] = torch.arange(len(part))
            here = (place[batch.rows] >= 0).nonzero().flatten()
            states.append(final[place[batch.rows[here]], batch.positions[here]])
            order.append(here)
        return torch.cat(states), torch.cat(order)

    @torch.no_grad()
    def validate(self, questions: int = 128) -> dict[str, float]:
        """Exact match (teacher forced, no composition) on new data of each kind, and shuffled."""
        scores: dict[str, float] = {}
        for split in ("new_combinations", "held_out", "unseen_families"):
            for facts in (1, 3):
                weights = tuple(float(count == facts) for count in range(1, 7))
                shape = BatchShape(questions // 2, 1, 0.0, 0.0, 0.0, fact_counts=weights)
                right: list[Tensor] = []
                shuffled: list[Tensor] = []
                for part in range(2):
                    generator = EpisodeGenerator(seed=10_000_019 + part, split=split)
                    batch = make_batch(
                        generator, shape, self.language_model, self.speller, random.Random(part)
                    )
                    right.append(self.loss(batch)[1])
                    if facts == 1:
                        batch.gates.copy_(batch.gates.roll(1, dims=1))
                        shuffled.append(self.loss(batch)[1])
                scores[f"{split}_{facts}"] = float(torch.cat(right).float().mean())
                if shuffled:
                    scores[f"{split}_shuffled"] = float(torch.cat(shuffled).float().mean())
        return scores

    def save(self) -> None:
        """Write the checkpoint."""
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        progress = {"of": self._describes(), "step": self.step, "seconds": self.seconds}
        save_state(self.checkpoint, {**parts, "optimizers": optimizers, **progress})

    def _parts(self) -> dict[str, nn.Module]:
        """What is trained, by its name in a checkpoint."""
        parts = {"encoder": self.encoder, "reader": self.reader, "renderer": self.renderer}
        return parts if self.alignment is None else {**parts, "alignment": self.alignment}

    def _describes(self) -> str:
        config, name = self.renderer.config, renderer_name(self.language_model.name)
        views = f", aligned with {', '.join(self.alignment.names)}" if self.alignment else ""
        return f"{name} ({config.fingerprint}), {config.space_id}{views}"

    def _resume(self) -> bool:
        state = load_state(self.checkpoint)
        if state is None:
            return False
        if (wanted := self._describes()) != (found := state.get("of", wanted)):
            raise CheckpointError(
                f"{self.checkpoint} is of another training: {found}, not {wanted};"
                " remedy: another folder with --run, or remove this one"
            )
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            rates = [group["top_rate"] for group in optimizer.param_groups]
            optimizer.load_state_dict(saved)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["top_rate"] = rate  # the plan's, not the interrupted one's
        self.step, self.seconds = state["step"], state["seconds"]
        return True

    def _start(self) -> None:
        """The renderer's scales, and its closed-form start, from texts the model reads."""
        architecture = self.language_model.architecture
        targets = [
            architecture.target_of(self.language_model.model, layer)
            for layer in self.renderer.config.layers
        ]
        memories = min(START_MEMORIES, self.plan.shape.memories)
        shape = replace(self.plan.shape, memories=memories, recitals=memories)
        inputs, outputs, tokens, before = [], [], [], []
        for part in range(START_BATCHES):
            generator = EpisodeGenerator(seed=20_000_003 + part)
            batch = make_batch(
                generator, shape, self.language_model, self.speller, random.Random(part)
            )
            mask = batch.ids != self.language_model.end_id
            seen = self.decoder.observe(batch.ids.to(self.device), mask.to(self.device), targets)
            inputs.append(seen[0].cpu())
            outputs.append(seen[1].cpu())
            tokens.append(batch.ids[mask])
            before.append(batch.ids.roll(1, dims=1)[mask])
        self.renderer.calibrate(torch.cat(inputs, 1), torch.cat(outputs, 1))
        found = start_keys(
            self.renderer, torch.cat(inputs, 1), torch.cat(tokens), torch.cat(before)
        )
        start_words(self.renderer)
        self.report({"event": "start", "tokens_found": found})

    def _train_step(self) -> dict[str, float]:
        warm = min(1.0, (self.step + 1) / self.plan.warmup)
        rate = warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * self.progress)))
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["top_rate"] * rate
            optimizer.zero_grad(set_to_none=True)
        measured = self._backward()
        norm = nn.utils.clip_grad_norm_(self.parameters, self.plan.clip)
        for optimizer in self.optimizers:
            optimizer.step()
        return {**measured, "norm": float(norm)}

    def _backward(self) -> dict[str, float]:
        losses, alone, composed = [], [], []
        for _ in range(self.plan.accumulate):
            batch = next(self.batches)
            loss, right = self.loss(batch)
            (loss / self.plan.accumulate).backward()
            losses.append(float(loss.detach()))
            asked = torch.tensor([not sample.recited for sample in batch.questions])
            single = batch.gates.sum(1) == 1
            alone += right.cpu()[single & asked].tolist()
            composed += right.cpu()[~single].tolist()
        measured = {
            "loss": sum(losses) / len(losses),
            "recital": self.recital_loss,
            "words": self.words_loss,
            "binding": self.binding_loss,
        }
        if self.alignment is not None:
            measured["aligned"] = self.aligned_loss
        if alone:
            measured["right"] = sum(alone) / len(alone)
        if composed:
            measured["right_composed"] = sum(composed) / len(composed)
        return measured


def _optimizers(
    renderer: Renderer, space: nn.Module | None, alignment: nn.Module | None, plan: TrainingPlan
) -> list[torch.optim.Optimizer]:
    """Muon for the maps, AdamW for the rest; the space, well started, at half the speed."""
    maps: dict[float, list[Tensor]] = {}
    rest: dict[float, list[Tensor]] = {}
    for module, share in ((renderer, 1.0), (space, 0.5), (alignment, 1.0)):
        for name, parameter in module.named_parameters() if module else ():
            is_map = (name in MAPS or name.endswith("weight")) and parameter.dim() >= 2
            copied = module is renderer and name.startswith(OF_MEMORIES)
            rate = plan.learning_rate * share * (plan.copied_rate if copied else 1.0)
            (maps if is_map else rest).setdefault(rate, []).append(parameter)
    adamw = torch.optim.AdamW(
        _groups(rest), lr=plan.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    return [Muon(_groups(maps, 2.0), lr=plan.learning_rate), adamw]


def _groups(by_rate: dict[float, list[Tensor]], factor: float = 1.0) -> list[dict[str, Any]]:
    """Groups of an optimizer: parameters by the rate at the top of the schedule."""
    return [{"params": some, "top_rate": factor * rate} for rate, some in by_rate.items()]
