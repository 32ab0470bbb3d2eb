"""Model cards: what a trained part is, how it was made and how it scored, beside its weights."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

DATA = (
    "Synthetic episodes of universal_memory/training/corpora (143 families of facts, open"
    " vocabulary; word lists and their licences in corpora/words), made anew at every step; no"
    " episode is seen twice. Scores are on words of no training text (held_out) and on new episodes"
    " of trained words (new_combinations). The closed-form start aligns whole vocabularies, words"
    " of held_out among them."
)


def write_model_card(folder: Path, title: str, purpose: str, card: dict[str, Any]) -> None:
    """Write `folder`/README.md from the facts in `card` (the same that are in the weights)."""
    scores = card.get("scores", {})
    facts = {name: value for name, value in card.items() if name not in ("scores", "config")}
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    lines = [f"# {title}", "", purpose, "", DATA, "", "| fact | |", "| --- | --- |"]
    lines += [f"| {name} | {_shown(value)} |" for name, value in facts.items()]
    lines.append(f"| machine | {machine} |")
    if scores:
        lines += ["", "| score | |", "| --- | --- |"]
        lines += [f"| {name} | {_shown(value)} |" for name, value in scores.items()]
    if config := card.get("config"):
        lines += ["", "| configuration | |", "| --- | --- |"]
        lines += [f"| {name} | {_shown(value)} |" for name, value in config.items()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
