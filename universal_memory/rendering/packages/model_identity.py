"""What makes a base model the same: its architecture, its words, and a sample of its weights.

A renderer writes with the token table of one model into the layers of one model. Names say little
(a fine-tuned model often keeps its name), so a renderer package carries these digests instead. They
are cheap: no more than some rows of the weights are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from universal_memory.rendering.architecture import ArchitectureMap

SAMPLED_ROWS = 64


@dataclass(frozen=True)
class ModelIdentity:
    """A base model, as a renderer package names it.

    `architecture`: its blocks and widths. `vocabulary`: rows of its input embeddings. `tokens`,
    `weights`: `tokens_digest` and `weights_digest`.
    """

    architecture: ArchitectureMap
    vocabulary: int
    tokens: str
    weights: str

    @classmethod
    def of(cls, model: Any, architecture: ArchitectureMap, tokenizer: Any) -> ModelIdentity:
        """The identity of a loaded Hugging Face decoder."""
        rows = len(model.get_input_embeddings().weight)
        tokens = tokens_digest(tokenizer.get_vocab())
        return cls(architecture, rows, tokens, weights_digest(model, architecture))

    def as_dict(self) -> dict[str, Any]:
        """The fields of the architecture and the own ones, side by side."""
        own = {"vocabulary": self.vocabulary, "tokens": self.tokens, "weights": self.weights}
        return asdict(self.architecture) | own

    def differences(self, other: ModelIdentity) -> dict[str, tuple[Any, Any]]:
        """The fields in which `other` is another model: this one's value and the other's."""
        theirs = other.as_dict()
        return {
            name: (value, theirs[name])
            for name, value in self.as_dict().items()
            if value != theirs[name]
        }


def tokens_digest(vocabulary: Mapping[str, int]) -> str:
    """SHA-256 of a token table: for every token, by its id, "<id> <bytes> " and its UTF-8 bytes."""
    found = hashlib.sha256()
    for token, number in sorted(vocabulary.items(), key=lambda entry: entry[1]):
        data = token.encode("utf-8", "surrogatepass")
        found.update(f"{number} {len(data)} ".encode() + data)
    return found.hexdigest()


def weights_digest(model: Any, architecture: ArchitectureMap) -> str:
    """SHA-256 of 64 evenly spaced input embeddings and of the first row of every adapted map.

    Rounded to bfloat16, little endian: it does not matter in which precision the model is loaded.
    """
    embeddings = model.get_input_embeddings().weight
    places = [place * len(embeddings) // SAMPLED_ROWS for place in range(SAMPLED_ROWS)]
    rows = [embeddings[place] for place in places]
    maps = (architecture.target_of(model, layer) for layer in range(architecture.layers))
    rows += [module.weight[0] for module in maps]  # type: ignore[index]
    found = hashlib.sha256()
    for row in rows:
        bits = row.detach().cpu().to(torch.bfloat16).view(torch.int16)
        found.update(bits.numpy().astype("<i2").tobytes())
    return found.hexdigest()
