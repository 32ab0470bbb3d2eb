"""Model cards: what a trained part is, how it was made and how it scored, beside its weights."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import Any

import torch

from universal_memory.training.corpora.families import FAMILIES, HELD_OUT_FAMILIES
from universal_memory.weights import read_card

DATA = (
    f"Synthetic episodes of universal_memory/training/corpora ({len(FAMILIES)} families of facts,"
    f" {len(HELD_OUT_FAMILIES)} of them never trained; prose from WordNet 3.0 glosses; word lists"
    " and licences in corpora/words), made anew at every step; no episode is seen twice. Scores:"
    " every answer token right, teacher forced, on new episodes of trained words"
    " (new_combinations), of words of no training text (held_out), and of families of no training"
    " text (unseen_families); one or three facts a file;"
    " shuffled: another memory's file."
)


def write_model_card(
    folder: Path, title: str, purpose: str, card: dict[str, Any], data: str = DATA
) -> None:
    """Write `folder`/README.md from the facts in `card` (the same that are in the weights).

    A card that has no `machine` was made on this one.
    """
    scores = card.get("scores", {})
    facts = {"machine": machine(), **card}
    facts = {name: value for name, value in facts.items() if name not in ("scores", "config")}
    lines = [f"# {title}", "", purpose, "", data, "", "| fact | |", "| --- | --- |"]
    lines += [f"| {name} | {_shown(value)} |" for name, value in facts.items()]
    if scores:
        lines += ["", "| score | |", "| --- | --- |"]
        lines += [f"| {name} | {_shown(value)} |" for name, value in scores.items()]
    if config := card.get("config"):
        lines += ["", "| configuration | |", "| --- | --- |"]
        lines += [f"| {name} | {_shown(value)} |" for name, value in config.items()]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def start_of(weights: Path) -> str:
    """What a card says of the weights that a training went on from: which, and how old they were.

    Where they lay is nobody else's business.
    """
    card = read_card(weights)
    found = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    spent = [f"{_shown(card[name])} {name}" for name in ("steps", "minutes") if name in card]
    return f"weights of SHA-256 {found} ({', '.join(spent) or 'no card'})"


def machine() -> str:
    """Processor or GPU, threads and PyTorch of this machine, for a card."""
    unit = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    return f"{unit}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
