"""The saved KV cache of a text: read once, when it is remembered, and loaded when it is asked for.

Keys and values of a text are right only behind what stood before it when it was read, so caches of
several texts do not join without an error: the nearest text (MiniLM) is taken alone, behind the
start of the prompt. They are kept in half precision.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import DynamicCache

from universal_memory.benchmarks.rivals.decoding import say
from universal_memory.benchmarks.rivals.rival import Answered, Asked, Rival
from universal_memory.benchmarks.rivals.text_vectors import nearest
from universal_memory.benchmarks.rivals.world import World


class SavedCache(Rival):
    """Keeps the keys and values of every text, and the vector that it is found by."""

    name = "kv-cache"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._load_ms: list[float] = []

    def remember(self, world: World) -> None:
        """Embed all texts; their caches are made when a question may choose them."""
        self._texts, self._vectors = world.texts, world.vectors
        self._root = world.root / "kv"
        self._root.mkdir(parents=True, exist_ok=True)

    def ready(self, asked: Asked) -> None:
        """Read the nearest text, if it has not been, and save what the model made of it."""
        number = self._nearest(asked)
        if not self._path(number).exists():
            self.timed(lambda: self._save(number))

    def answer(self, asked: Asked) -> Answered:
        """The answer behind the cache; only the question is read."""
        started = time.perf_counter()
        number = self._nearest(asked)
        loading = time.perf_counter()
        kept = load_file(str(self._path(number)))
        # With the model's configuration it knows of layers that see a window only.
        cache = DynamicCache(config=self.language_model.model.config)
        for layer in range(len(kept) // 2):
            keys, values = (kept[f"{kind}{layer}"].float() for kind in ("keys", "values"))
            cache.update(keys, values, layer)
        self._load_ms.append(1000 * (time.perf_counter() - loading))
        self.note = f"of the nearest text alone; to load it {median(self._load_ms):.1f} ms"
        question = self._inner(asked.text)
        ids = [*self._prefix(number), *question, *self._after]
        most = self.parts.settings.max_tokens
        spoken = say(self.language_model, started, most, ids=ids, cache=cache)
        return Answered(spoken.text, len(question) + len(self._after), spoken.first_token_ms)

    def _nearest(self, asked: Asked) -> int:
        return nearest(self._vectors, self.parts.vectors.one(asked.text), 1)[0]

    def _path(self, number: int) -> Path:
        return self._root / f"{number}.safetensors"

    @torch.inference_mode()
    def _save(self, number: int) -> int:
        model, text = self.language_model.model, self._texts[number]
        ids = torch.tensor([self._prefix(number)])
        cache = model(input_ids=ids, use_cache=True, logits_to_keep=1).past_key_values
        kept = {}
        for layer, one in enumerate(cache.layers):
            kept[f"keys{layer}"] = one.keys.half().contiguous()
            kept[f"values{layer}"] = one.values.half().contiguous()
        path = self._path(number)
        save_file(kept, str(path))
        vector = self.parts.vectors.one(text)
        return path.stat().st_size + vector.nbytes + len(text.encode())

    def _prefix(self, number: int) -> list[int]:
        return [*self._before, *self._inner(f"{self._texts[number]}\n")]

    def _inner(self, text: str) -> list[int]:
        """Tokens of a part of the prompt, the template left out."""
        before, after = self.language_model.template_tokens
        prompt = self.language_model.prompt_ids(text)
        return prompt[before : len(prompt) - after]

    @property
    def _before(self) -> list[int]:
        return self.language_model.prompt_ids("")[: self.language_model.template_tokens[0]]

    @property
    def _after(self) -> list[int]:
        return self.language_model.prompt_ids("")[self.language_model.template_tokens[0] :]
