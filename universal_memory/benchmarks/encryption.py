"""What encryption at rest costs: the disk work of a store, plain and encrypted side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from universal_memory.benchmarks.latency import filled_index, interleaved
from universal_memory.encryption import Cipher
from universal_memory.experience.buffer import RollingBuffer
from universal_memory.experience.event import Event, Modality
from universal_memory.memory.file import MemoryFile
from universal_memory.memory.ledger import Provenance
from universal_memory.memory.store import MemoryStore
from universal_memory.routing.index import PassportIndex

TEXT = "Anna said: I left the blue umbrella in the pantry."
EVENTS = 64  # of the fresh window
SPACE = "benchmark/1"


def encryption(files: int, repeats: int) -> list[dict[str, Any]]:
    """A row a stage: milliseconds p50 and p95, plain and encrypted; `files` in the index."""
    cipher = Cipher.generate()
    stages: dict[str, Callable[[], object]] = {}
    with ExitStack() as opened:
        for kind, key in (("plain", None), ("encrypted", cipher)):
            root = Path(opened.enter_context(tempfile.TemporaryDirectory()))
            store = opened.enter_context(MemoryStore(root, cipher=key))
            buffer = opened.enter_context(RollingBuffer(root / "buffer.sqlite", cipher=key))
            for name, work in _stages(store, buffer, files).items():
                stages[f"{kind} {name}"] = work
        data = next(_memories()).to_bytes()
        sealed = cipher.seal(data)
        name = f"seal and open {len(data) / 1000:.1f} kB, no disk"
        stages[f"plain {name}"] = lambda: bytes(data)
        stages[f"encrypted {name}"] = lambda: (cipher.seal(data), cipher.open(sealed))
        times = interleaved(stages, repeats)
    names = [name.removeprefix("plain ") for name in times if name.startswith("plain ")]
    return [
        {
            "stage": name,
            "plain": times[f"plain {name}"],
            "encrypted": times[f"encrypted {name}"],
            "ratio": times[f"encrypted {name}"][0] / max(times[f"plain {name}"][0], 1e-6),
        }
        for name in names
    ]


def _stages(
    store: MemoryStore, buffer: RollingBuffer, files: int
) -> dict[str, Callable[[], object]]:
    memories, seconds = _memories(), count(1)
    origin = Provenance(1, 1, 1, ("audio",), "day.mcap", None, TEXT)
    kept = store.add(next(memories), origin)
    index, path = filled_index(files), store.root / "index" / "passports.npy"
    index.save(path, store.cipher)

    def append() -> int:
        tokens = tuple(range(12))
        return buffer.append(Event(next(seconds) * 10**9, "audio", Modality.AUDIO, tokens, TEXT))

    for _ in range(EVENTS):
        append()
    return {
        "load and verify a file": lambda: store.get(kept),
        "read its ledger row": lambda: store.record(kept),
        "add a file with its row": lambda: store.add(next(memories), origin),
        "append an event": append,
        f"read the last {EVENTS} events": lambda: buffer.window(EVENTS - 1),
        f"save an index of {files} files": lambda: index.save(path, store.cipher),
        f"load an index of {files} files": lambda: PassportIndex.load(path, store.cipher),
    }


def _memories() -> Iterator[MemoryFile]:
    """Random memories, the same for both stores."""
    random = np.random.default_rng(0)
    for counter in count(1):
        passport = random.standard_normal(1024)
        yield MemoryFile.create(
            random.standard_normal((16, 256)), passport / np.linalg.norm(passport), SPACE, counter
        )
