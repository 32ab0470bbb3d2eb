"""Whole training runs: build the parts, train, write weights and the facts of their model card."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from universal_memory.rendering.packages.model_identity import ModelIdentity
from universal_memory.rendering.packages.package import write_manifest
from universal_memory.rendering.piece_tokens import piece_tokens
from universal_memory.rendering.renderer import Renderer, RendererConfig, renderer_weights
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.resources import models_dir
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import READER_WEIGHTS, SemanticSpace, id_suffix
from universal_memory.space.semantic_space import WEIGHTS as SPACE_WEIGHTS
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.training.behaviour import BehaviourTraining
from universal_memory.training.model_card import machine, write_model_card
from universal_memory.training.plan import TrainingPlan
from universal_memory.weights import load_weights, save_weights

Report = Callable[[dict[str, Any]], None]
CHECKPOINT = "checkpoint.pt"
SPACE = "ump-space-0"


def train_space(
    model: str,
    run: Path,
    minutes: float,
    steps: int,
    seed: int,
    device: str,
    report: Report,
    start: Path | None = None,
) -> None:
    """Space and reference renderer of `model` together.

    From the closed-form start, or from the weights of a models folder `start`.
    """
    torch.manual_seed(seed)
    language_model, tower = LanguageModel(model, device), TextTower(device=device)
    encoder = UniversalEncoder()
    reader = SlotReader(tower.codes.codes, encoder.seating)
    renderer = _new_renderer(language_model, reader, tower, SPACE)
    if start is not None:
        load_weights(start / SPACE_WEIGHTS, encoder)
        load_weights(start / READER_WEIGHTS, reader)
        load_weights(start / renderer_weights(model), renderer)
    training = BehaviourTraining(
        language_model,
        tower,
        encoder.to(device),
        reader.to(device),
        renderer.to(device),
        _plan(minutes, steps, seed, device, start),
        run / CHECKPOINT,
        train_encoder=True,
        report=report,
        calibrated=start is not None,
    )
    training.run()
    card = _card("space", model, seed, training)
    if start is not None:
        card["start"] = str(start)
    # A space trained again is another space: its files must not be taken for the old one's.
    space_id = f"{SPACE}-{id_suffix(encoder, reader)}"
    renderer.config = replace(renderer.config, space_id=space_id)
    space_card = {**card, "space_id": space_id}
    save_weights(models_dir() / SPACE_WEIGHTS, encoder, space_card)
    save_weights(models_dir() / READER_WEIGHTS, reader, space_card)
    purpose = "The Universal Encoder, token states of all-MiniLM-L6-v2 to USVs, and their reader."
    write_model_card((models_dir() / SPACE_WEIGHTS).parent, "Space", purpose, space_card)
    save_renderer(renderer, language_model, card)
    report({"event": "written", **card["scores"]})


def train_renderer(
    model: str,
    run: Path,
    minutes: float,
    steps: int,
    seed: int,
    device: str,
    report: Report,
    start: Path | None = None,
) -> None:
    """A renderer of `model` over the frozen space of the models folder.

    From the closed-form start, or from the weights of a models folder `start`.
    """
    torch.manual_seed(seed)
    language_model = LanguageModel(model, device)
    space = SemanticSpace.load(device=device)
    renderer = _new_renderer(language_model, space.reader, space.tower, space.space_id)
    if start is not None:
        load_weights(start / renderer_weights(model), renderer)
    training = BehaviourTraining(
        language_model,
        space.tower,
        space.encoder,
        space.reader,
        renderer.to(device),
        _plan(minutes, steps, seed, device, start),
        run / CHECKPOINT,
        train_encoder=False,
        report=report,
        calibrated=start is not None,
    )
    training.run()
    card = _card("renderer", model, seed, training)
    if start is not None:
        card["start"] = str(start)
    save_renderer(renderer, language_model, card)
    report({"event": "written", **card["scores"]})


def _plan(minutes: float, steps: int, seed: int, device: str, start: Path | None) -> TrainingPlan:
    plan = TrainingPlan(minutes=minutes, steps=steps, seed=seed)
    if device != "cpu":
        plan = plan.on_gpu(os.cpu_count() or 2)
    return plan if start is None else plan.going_on()


def _new_renderer(
    language_model: LanguageModel, reader: SlotReader, tower: TextTower, space_id: str
) -> Renderer:
    """An untrained renderer; it knows how the model writes the space's word pieces."""
    return Renderer(
        RendererConfig.for_architecture(language_model.architecture, space_id),
        reader,
        TokenEmbeddings(language_model.model),
        piece_tokens(tower.codes.pieces, language_model.tokenizer),
    )


def _card(kind: str, model: str, seed: int, training: BehaviourTraining) -> dict[str, Any]:
    """The facts of a model card."""
    return {
        "command": f"ump train {kind} --model {model}",
        "seed": seed,
        "steps": training.step,
        "minutes": training.seconds / 60,
        "memories": training.step * training.plan.accumulate * training.plan.shape.memories,
        "machine": machine(),
        "scores": training.validate(256),
    }


def save_renderer(renderer: Renderer, language_model: LanguageModel, card: dict[str, Any]) -> None:
    """Write weights, card and manifest of a model's renderer into the models folder."""
    path = models_dir() / renderer_weights(language_model.name)
    name = Path(language_model.name).name
    config = asdict(renderer.config)
    card = {**card, "config": config}
    save_weights(path, renderer, card)
    purpose = f"Universal Semantic Vectors to adapters of {name}."
    write_model_card(path.parent, f"Renderer of {name}", purpose, card)
    model, architecture = language_model.model, language_model.architecture
    write_manifest(
        path.parent, name, ModelIdentity.of(model, architecture, language_model.tokenizer)
    )
