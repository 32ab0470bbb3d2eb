"""Whole training runs: build the parts, train, write weights and the facts of their model card."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.encoder import UniversalEncoder
from universal_memory.space.text_tower import TextTower
from universal_memory.training.behaviour import BehaviourTraining, TrainingPlan
from universal_memory.training.warm_start import shared_words, start_values

Report = Callable[[dict[str, Any]], None]
CHECKPOINT = "checkpoint.pt"
SPACE_ID = "ump-space-0"


def train_space(
    model: str, run: Path, minutes: float, steps: int, seed: int, device: str, report: Report
) -> None:
    """Space and reference renderer of `model` together, from the closed-form start."""
    torch.manual_seed(seed)
    language_model, tower = LanguageModel(model, device), TextTower(device=device)
    encoder = UniversalEncoder().to(device)
    renderer = Renderer(RendererConfig.for_architecture(language_model.architecture, SPACE_ID))
    words = sorted(set(shared_words(tower, language_model)[0]))
    projection = encoder.start_from_words(tower.model.embeddings.word_embeddings.weight[words])
    found = start_values(renderer, projection, tower, language_model)
    report({"event": "warm start", "held_out_words_found": found})
    BehaviourTraining(
        language_model,
        tower,
        encoder,
        renderer.to(device),
        TrainingPlan(minutes=minutes, steps=steps, seed=seed),
        run / CHECKPOINT,
        train_encoder=True,
        report=report,
    ).run()
