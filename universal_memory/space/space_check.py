"""Whether a folder holds a space that is what its id says, and that works here.

The checks stop at the first weights that cannot be loaded; all others are tried.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from universal_memory.checks import FAILED, OK, Check
from universal_memory.space.encoder import SEATS, SLOTS, UniversalEncoder
from universal_memory.space.golden import NAME, GoldenVectors, PassportsOf
from universal_memory.space.semantic_space import READER_WEIGHTS, WEIGHTS, SemanticSpace, id_suffix
from universal_memory.space.slot_reader import SlotReader
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import load_weights, read_card

TOLERANCE = 0.01  # of a number of a USV; they have variance 1
COSINE = 0.999  # of a passport and the golden one


def load_space(folder: Path, tower: TextTower | None = None) -> SemanticSpace:
    """The space in `folder` itself. Raises FileNotFoundError or WeightsError with the remedy."""
    encoder = UniversalEncoder()
    load_weights(folder / WEIGHTS.name, encoder)
    space_id = str(read_card(folder / WEIGHTS.name).get("space_id"))
    tower = tower or TextTower()
    reader = SlotReader(tower.codes.codes, encoder.seating)
    load_weights(folder / READER_WEIGHTS.name, reader, space_id)
    return SemanticSpace(tower, encoder, space_id, reader)


def check_space_folder(
    folder: Path,
    passports_over: Callable[[SemanticSpace], PassportsOf],
    tower: TextTower | None = None,
) -> list[Check]:
    """All checks of the space in `folder`.

    `passports_over`: loads the passport encoder that was trained over a space.
    """
    try:
        space = load_space(folder, tower)
        passports = passports_over(space)
    except (FileNotFoundError, ValueError) as error:
        return [Check("weights", FAILED, str(error))]
    checks = [Check("weights", OK, "encoder and reader load"), _space_id(space)]
    try:
        golden = GoldenVectors.load(folder / NAME)
    except (FileNotFoundError, ValueError) as error:
        return [*checks, Check("golden", FAILED, str(error))]
    usv = np.concatenate([space.encode([text]) for text in golden.texts])
    return [
        *checks,
        _norms(space, usv),
        _golden(space, golden, usv),
        _passports(golden, passports(golden.usv)),
        _reading(space, golden, usv),
    ]


def _space_id(space: SemanticSpace) -> Check:
    wanted = id_suffix(space.encoder, space.reader)
    if space.space_id.endswith(f"-{wanted}"):
        return Check("space_id", OK, space.space_id)
    return Check(
        "space_id",
        FAILED,
        f"space id {space.space_id} does not end with -{wanted}, the digest of the weights of"
        " encoder and reader: they were changed; remedy: restore them, or give the space a new id",
    )


def _norms(space: SemanticSpace, usv: np.ndarray) -> Check:
    low, high = space.slot_norm_bounds
    norms = np.linalg.norm(usv.astype(np.float64), axis=-1)
    found = f"slot norms {norms.min():.2f} to {norms.max():.2f}, bounds {low:g} to {high:g}"
    return Check("slot_norm", OK if low <= norms.min() <= norms.max() <= high else FAILED, found)


def _golden(space: SemanticSpace, golden: GoldenVectors, usv: np.ndarray) -> Check:
    if golden.space_id != space.space_id:
        return Check("golden", FAILED, f"of space {golden.space_id}, this is {space.space_id}")
    worst = float(np.abs(usv - golden.usv).max())
    found = f"largest difference {worst:.1e} in {len(usv)} texts, at most {TOLERANCE:g} allowed"
    return Check("golden", OK if worst <= TOLERANCE else FAILED, found)


def _passports(golden: GoldenVectors, passport: np.ndarray) -> Check:
    """Of the golden USVs: the passports in files and the router's point the same way."""
    if passport.shape != golden.passport.shape:
        return Check("passports", FAILED, f"{passport.shape} for {golden.passport.shape}")
    least = float((passport * golden.passport).sum(1).min())
    found = f"least cosine {least:.4f} in {len(passport)} texts, at least {COSINE:g} wanted"
    return Check("passports", OK if least >= COSINE else FAILED, found)


def _reading(space: SemanticSpace, golden: GoldenVectors, usv: np.ndarray) -> Check:
    """The reader gives back every word piece that has a seat, and how it is written."""
    reading = space.reader(torch.from_numpy(usv))
    for row, text in enumerate(golden.texts):
        ids, flags = (part[: SEATS * SLOTS] for part in space.tower.written(text))
        taken = reading.taken[row]
        read = reading.pieces[row][taken]
        same = torch.equal(read, ids)
        if not (same and torch.equal(reading.flags[row][taken], flags[:, 1:] > 0)):
            told = space.tower.tokenizer.decode(read)
            return Check("reading", FAILED, f"{text!r} is read back as {told!r}")
    return Check("reading", OK, f"{len(usv)} texts are read back word for word")
