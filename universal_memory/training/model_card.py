"""Model cards: what a trained part is, how it was made and how it scored, beside its weights."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import torch

DATA = (
    "Synthetic episodes of universal_memory/training/corpora (157 families of facts, 16 of them"
    " never trained; prose from WordNet 3.0 glosses; word lists and licences in corpora/words),"
    " made anew at every step; no episode is seen twice. Scores: every answer token right, teacher"
    " forced, on new episodes of trained words (new_combinations), of words of no training text"
    " (held_out), and of families of no training text (unseen_families); one or three facts a file;"
    " shuffled: another memory's file."
)


def write_model_card(
    folder: Path, title: str, purpose: str, card: dict[str, Any], data: str = DATA
) -> None:
    """Write `folder`/README.md from the facts in `card` (the same that are in the weights)."""
    scores = card.get("scores", {})
    facts = {name: value for name, value in card.items() if name not in ("scores", "config")}
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    lines = [f"# {title}", "", purpose, "", data, "", "| fact | |", "| --- | --- |"]
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
