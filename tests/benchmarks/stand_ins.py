"""Stand-ins for the trained parts: files that can be told apart, a model that reads adapters."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from universal_memory.memory.store import MemoryStore
from universal_memory.rendering.adapter import Adapter
from universal_memory.rendering.fusion import fuse
from universal_memory.runtime.answer import COMPILED, Hit, Prepared

LAYERS = (2, 3)
D_IN, D_OUT = 64, 32  # of the tiny Llama


def vectors(text: str) -> NDArray[np.float32]:
    """The USV of a text in the stand-in space."""
    random = np.random.default_rng(zlib.crc32(text.encode()))
    return random.standard_normal((16, 256), dtype=np.float32)


def rendered(usv: torch.Tensor) -> Adapter:
    """An adapter, of a rank between 2 and 4, that has the mark of its file in a key and a value."""
    random = torch.Generator().manual_seed(int(usv[0, 0] * 1e6) & 0xFFFFFFFF)
    rank = 2 + int(usv[0, 1] * 1e3) % 3
    keys = torch.randn(len(LAYERS), rank, D_IN, generator=random)
    values = torch.randn(len(LAYERS), rank, D_OUT, generator=random)
    keys[:, 0, 0] = usv[0, 0]
    return Adapter(LAYERS, keys, values)


def marks(adapter: Adapter) -> set[float]:
    """What files are on, by their marks."""
    return set(adapter.keys[0, :, 0].tolist())


def mark(text: str) -> float:
    """The mark that the file of a text leaves in an adapter."""
    return float(torch.from_numpy(vectors(text))[0, 0])


@dataclass
class Knowing:
    """Stands in for decoding: `rule(question, marks on)` gives the answer."""

    rule: Callable[[str, set[float]], str] = lambda question, on: ""
    device: str = "cpu"
    asked: list[str] = field(default_factory=list)

    def prompt_ids(self, question: str) -> list[int]:
        self.asked.append(question)
        return [len(self.asked) - 1]

    def decode(self, _: object, prepared: Sequence[Prepared], max_tokens: int) -> list[str]:
        assert max_tokens >= 24
        return [self.rule(self.asked[one.prompt[0]], marks(one.adapter)) for one in prepared]


def answerer_of(store: MemoryStore, language_model: Any) -> Any:
    """The parts the benchmarks use. Its router finds only the first of the files relevant."""
    manner = Adapter(LAYERS, torch.ones(2, 1, D_IN), torch.zeros(2, 1, D_OUT))
    renderer = SimpleNamespace(render=rendered, manner=lambda: manner)

    def prepare(
        question: str, *, top_k: int, min_relevance: float, among: Sequence[str]
    ) -> Prepared:
        assert (top_k, min_relevance) == (len(among), 0.0)
        usv = torch.from_numpy(store.get(among[0]).usv.copy())
        hit = Hit(among[0], 0.9, 1.0, 0)
        prompt = language_model.prompt_ids(question)
        return Prepared(prompt, fuse([manner, renderer.render(usv)]), COMPILED, (hit,))

    def passports(usvs: NDArray[np.float32]) -> NDArray[np.float32]:
        flat = usvs.reshape(len(usvs), -1)[:, :1024]
        return flat / np.linalg.norm(flat, axis=1, keepdims=True)

    space = SimpleNamespace(
        space_id="stand-in/1",
        encode=lambda texts: np.stack([vectors(text) for text in texts]),
        tower=SimpleNamespace(count=lambda text: 10 * text.count(". ") + 10),
    )
    return SimpleNamespace(
        language_model=language_model,
        renderer=renderer,
        space=space,
        passport_encoder=SimpleNamespace(passports=passports),
        store=store,
        prepare=prepare,
    )
