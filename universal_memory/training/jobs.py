"""Whole training runs: build the parts, train, write weights and the facts of their model card."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from universal_memory.benchmarks.acceptance import Acceptance, acceptance
from universal_memory.memory.durable import write_atomic
from universal_memory.rendering.packages.manifest import WEIGHTS, check_name
from universal_memory.rendering.packages.model_identity import ModelIdentity
from universal_memory.rendering.packages.package import write_manifest
from universal_memory.rendering.piece_tokens import piece_tokens
from universal_memory.rendering.places import Places
from universal_memory.rendering.renderer import (
    Renderer,
    RendererConfig,
    renderer_name,
    renderer_weights,
)
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.resources import models_dir
from universal_memory.routing.pointer import Pointer
from universal_memory.runtime.hub_model import is_hub_id
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.semantic_space import READER_WEIGHTS, SemanticSpace, id_suffix
from universal_memory.space.semantic_space import WEIGHTS as SPACE_WEIGHTS
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.training.alignment import Alignment
from universal_memory.training.behaviour import BehaviourTraining
from universal_memory.training.binding import teach_binding
from universal_memory.training.correspondence import Correspondence, Speaker
from universal_memory.training.mixed_precision import fast_bfloat16, to_mixed_precision
from universal_memory.training.model_card import machine, start_of, write_model_card
from universal_memory.training.plan import TrainingPlan
from universal_memory.training.pointed_gates import PointedGates
from universal_memory.training.renderer_transfer import RendererTransfer
from universal_memory.training.schedule import Schedule
from universal_memory.training.views import MINILM, open_views
from universal_memory.weights import load_weights, read_card, save_weights

Report = Callable[[dict[str, Any]], None]
CHECKPOINT = "checkpoint.pt"
TEACHING = 0.12  # of the minutes: what belongs together; half of that where it is carried over
TAUGHT_AT = 2e-3  # the learning rate of it
SPACE = "unfrozen"  # until `ump train freeze` names it
VIEWS = (MINILM, "smollm2-135m", "gemma3-270m")


def train_space(
    model: str,
    run: Path,
    minutes: float,
    steps: int,
    seed: int,
    device: str,
    report: Report,
    start: Path | None = None,
    contrastive: float = 0.0,
    views: Sequence[str] = VIEWS,
) -> None:
    """Space and reference renderer of `model` together.

    From the closed-form start, or from the weights of a models folder `start`. `contrastive`:
    weight of the alignment with the `views` in the loss; at 0 there is none.
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
    alignment = None
    if contrastive > 0.0:
        alignment = Alignment(open_views(views, tower, [language_model]), contrastive).to(device)
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
        alignment=alignment,
    )
    training.run()
    card = _card("space", model, seed, training)
    if start is not None:
        card["start"] = start_of(start / SPACE_WEIGHTS)
    if alignment is not None:
        card |= {"contrastive": contrastive, "views": list(views)}
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
    places: Places | None = None,
    out: Path | None = None,
    like: str | None = None,
) -> Acceptance:
    """A renderer of `model` over the frozen space of the models folder, and how it is accepted.

    From the closed-form start, from the weights of a models folder `start`, or from the renderer
    of another model, `like`, carried over in closed form. Words of memories are open as they are
    when a robot is asked, by the pointer of the models folder. `places`: where adapters go, for an
    architecture that inspection does not know. `out`: the folder that the package is written to;
    None: its place in the models folder. The acceptance test stands in the card too, and in
    `run`/acceptance.json. Raises FileNotFoundError or ValueError with the remedy, before the
    training, if the model cannot have a renderer.
    """
    check_name(renderer_name(model))
    folder = out or (models_dir() / renderer_weights(model)).parent
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    language_model = LanguageModel(model, device, places)
    space = SemanticSpace.load(device=device)
    renderer = _new_renderer(language_model, space.reader, space.tower, space.space_id)
    if start is not None:
        weights = start / renderer_weights(model)
        load_weights(weights, renderer)
        gated = RendererConfig.from_card(read_card(weights))
        renderer.config = renderer.config.gated_like(gated)
    training = BehaviourTraining(
        language_model,
        space.tower,
        space.encoder,
        space.reader,
        renderer.to(device),
        _plan(minutes, steps, seed, device, start, like),
        run / CHECKPOINT,
        train_encoder=False,
        report=report,
        calibrated=start is not None,
        pointed=PointedGates(Pointer.load(space), space.tower),
    )
    if start is None and training.step == 0:
        if like is not None:
            _carry_over(like, space, Speaker(language_model, renderer), seed, report)
        share = TEACHING if like is None else TEACHING / 2
        teach_binding(renderer, space, _teaching(training.plan, share), report)
    training.run()
    found = acceptance(
        language_model,
        renderer,
        space,
        advance=lambda mode, done, total: report({"asked": mode, "done": done, "of": total}),
    )
    card = _card("renderer", model, seed, training)
    card["scores"] |= {"acceptance_oracle": found.oracle, "acceptance_shuffled": found.shuffled}
    card["acceptance"] = found.verdict
    if start is not None:
        card["start"] = start_of(start / renderer_weights(model))
    elif like is not None:
        card["command"] += f" --like {renderer_name(like)}"
        card["start"] = f"the renderer of {renderer_name(like)}, carried over"
    save_renderer(renderer, language_model, card, folder)
    told = {"model": renderer_name(model), "space_id": space.space_id, "accepted": found.accepted}
    figures = json.dumps(told | found.as_dict() | {"scores": card["scores"]}, indent=1)
    write_atomic(run / "acceptance.json", f"{figures}\n".encode())
    report({"event": "written", "folder": str(folder), **card["scores"]})
    return found


def _plan(
    minutes: float,
    steps: int,
    seed: int,
    device: str,
    start: Path | None,
    like: str | None = None,
) -> TrainingPlan:
    plan = TrainingPlan(minutes=minutes, steps=steps, seed=seed)
    if device != "cpu":
        plan = plan.on_gpu(os.cpu_count() or 2)
    if start is not None:
        return plan.going_on()
    return plan if like is None else plan.transferred()


def _teaching(plan: TrainingPlan, share: float) -> Schedule:
    steps = max(1, round(share * plan.steps)) if plan.steps else 0
    return Schedule(
        minutes=share * plan.minutes, steps=steps, learning_rate=TAUGHT_AT, seed=plan.seed
    )


def _carry_over(
    like: str, space: SemanticSpace, target: Speaker, seed: int, report: Report
) -> None:
    """Start the target's renderer from that of the model `like`."""
    model = LanguageModel(like, target.model.device)
    embeddings = TokenEmbeddings(model.model)
    renderer = Renderer.load(model.architecture, space.space_id, space.reader, embeddings)
    source = Speaker(model, renderer.to(model.device))
    if fast_bfloat16(model.device):
        to_mixed_precision(model.model)
    transfer = RendererTransfer(Correspondence(space, source, target, seed))
    explained = transfer.apply(lambda done, total: report({"read": done, "of": total}))
    report({"event": "carried over", "from": like, **explained})


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
    """The facts of a model card; a folder of this machine is nobody else's business."""
    named = model if is_hub_id(model) else renderer_name(model)
    return {
        "command": f"ump train {kind} --model {named}",
        "seed": seed,
        "steps": training.step,
        "minutes": training.seconds / 60,
        "memories": training.step * training.plan.accumulate * training.plan.shape.memories,
        "machine": machine(),
        "scores": training.validate(256),
    }


def save_renderer(
    renderer: Renderer,
    language_model: LanguageModel,
    card: dict[str, Any],
    folder: Path | None = None,
) -> None:
    """Write weights, card and manifest of a model's renderer, into the models folder by default."""
    name = renderer_name(language_model.name)
    folder = folder or (models_dir() / renderer_weights(language_model.name)).parent
    card = {**card, "config": asdict(renderer.config)}
    save_weights(folder / WEIGHTS, renderer, card)
    purpose = f"Universal Semantic Vectors to adapters of {name}."
    write_model_card(folder, f"Renderer of {name}", purpose, card)
    model, architecture = language_model.model, language_model.architecture
    write_manifest(folder, name, ModelIdentity.of(model, architecture, language_model.tokenizer))
