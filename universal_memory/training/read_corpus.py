"""What the reader of a space finds in the USVs of many texts, kept on disk.

Encoding a hundred thousand files takes minutes and depends on nothing but the space, while
passports are trained again and again. So what is read is kept, by space and texts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from universal_memory.memory.durable import write_atomic
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.training.mixed_precision import fast_bfloat16, to_mixed_precision

Progress = Callable[[str, int, int], None]
FOLDER = Path("build/cache/read")
SHARD = 2048  # texts kept together: what a cut can cost
_BATCH = 64


def read_back(
    space: SemanticSpace,
    texts: Sequence[str],
    progress: Progress,
    folder: Path = FOLDER,
) -> list[list[int]]:
    """Word pieces that the reader of `space` finds in the USVs of `texts`.

    Where it is faster the tower and the encoder run in bfloat16; the tower's weights stay so.
    """
    found: list[list[int]] = []
    for start in range(0, len(texts), SHARD):
        part = texts[start : start + SHARD]
        digest = hashlib.sha256("\n".join([space.space_id, *part]).encode()).hexdigest()
        path = folder / space.space_id.replace("/", "_") / f"{digest[:32]}.json"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, json.dumps(_read(space, part)).encode("ascii"))
        found += json.loads(path.read_bytes())
        progress("encoding", len(found), len(texts))
    return found


@torch.inference_mode()
def _read(space: SemanticSpace, texts: Sequence[str]) -> list[list[int]]:
    fast = fast_bfloat16()
    if fast:
        to_mixed_precision(space.tower.model)
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    read: dict[int, list[int]] = {}
    for start in range(0, len(order), _BATCH):  # texts of one length: little padding
        numbers = order[start : start + _BATCH]
        with torch.autocast(space.tower.device, dtype=torch.bfloat16, enabled=fast):
            states = space.tower([texts[number] for number in numbers])
            usv = space.encoder(states.states, states.mask).float()
        read.update(zip(numbers, space.reader.word_pieces(usv), strict=True))
    return [read[number] for number in range(len(texts))]
