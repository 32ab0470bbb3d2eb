"""Views: how frozen models that know nothing of each other see the same experience.

Well trained models come to agree on what is near what, whatever their tokens and sizes (Huh et al.
2024): what they agree on is what a space for all of them should hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.text_tower import TextTower
from universal_memory.training.mixed_precision import fast_bfloat16, to_mixed_precision
from universal_memory.training.split_decoder import SplitDecoder

MINILM = "minilm"
# Huh et al. (2024) take the best layer of each model, as a rule one near the middle: below it
# tokens are still words, above it they turn into the next ones (Skean et al. 2025).
DEPTH = 0.5
MOST_TOKENS = 128


class View(Protocol):
    """A frozen model that sees texts. `width`: of what it sees in one."""

    name: str
    width: int

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """What it makes of `texts`: float32 [texts, width], without gradients."""


class TowerView:
    """Mean of the text tower's last hidden states: what a sentence means to MiniLM."""

    name = MINILM

    def __init__(self, tower: TextTower) -> None:
        self.tower = tower
        self.width = int(tower.model.config.hidden_size)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """As in `View`."""
        return self.tower(list(texts)).pooled()


class ModelView:
    """Mean over the tokens of a language model's hidden states in the middle of its blocks.

    Each state is layer-normed first: the first token's is far larger than the others and says
    nothing (Sun et al. 2024). Blocks above the middle are not run.
    """

    def __init__(self, language_model: LanguageModel) -> None:
        self.name = language_model.name
        self.width = language_model.architecture.d_out
        self._model = language_model
        if fast_bfloat16(language_model.device):
            to_mixed_precision(language_model.model)
        middle = round(DEPTH * language_model.architecture.layers)
        self._decoder = SplitDecoder(language_model, middle)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """As in `View`; tokens beyond the first 128 are not seen."""
        written = self._model.tokenizer(
            list(texts),
            truncation=True,
            max_length=MOST_TOKENS,
            return_attention_mask=False,
            return_special_tokens_mask=True,
        )
        ids = _padded(written["input_ids"], self._model.end_id)
        said = _padded([[1 - one for one in row] for row in written["special_tokens_mask"]], 0)
        said = said.to(self._model.device).float().unsqueeze(-1)
        states = self._decoder.below(ids.to(self._model.device)).float()
        states = F.layer_norm(states, (self.width,))
        return (states * said).sum(1) / said.sum(1).clamp(min=1.0)


def open_views(
    names: Sequence[str], tower: TextTower, loaded: Sequence[LanguageModel] = ()
) -> list[View]:
    """The views of these names: `minilm`, or a language model's; those in `loaded` are shared.

    Raises ModelNotFoundError for what is neither.
    """
    models = {model.name: model for model in loaded}
    return [
        TowerView(tower)
        if name == MINILM
        else ModelView(models.get(name) or LanguageModel(name, tower.device))
        for name in names
    ]


def _padded(rows: list[list[int]], padding: int) -> Tensor:
    return pad_sequence(list(map(torch.tensor, rows)), batch_first=True, padding_value=padding)
