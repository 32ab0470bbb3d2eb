"""Greedy decoding that tells when the first token is there; the same for all rivals."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList

from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.runtime.language_model import LanguageModel


@dataclass(frozen=True)
class Spoken:
    """What was said, and the time to its first token [ms]."""

    text: str
    first_token_ms: float


class _FirstToken(StoppingCriteria):
    """Never stops anything: it looks at the clock when the first token is there."""

    def __init__(self) -> None:
        self.at: float | None = None

    def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
        if self.at is None:
            self.at = time.perf_counter()
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


@torch.inference_mode()
def say(
    language_model: LanguageModel,
    started: float,
    max_tokens: int,
    ids: list[int] | None = None,
    embedded: Tensor | None = None,
    cache: Any = None,
    adapter: Adapter | None = None,
) -> Spoken:
    """The greedy continuation of a prompt, as `LanguageModel.generate` gives it.

    The prompt: token `ids`, or input embeddings [1, time, width]. `cache`: of keys and values of
    the first of the ids, which are not run again. `started`: when the question was put
    (`time.perf_counter`).
    """
    device = language_model.device
    given: dict[str, Any] = {"past_key_values": cache} if cache is not None else {}
    if embedded is not None:
        given["inputs_embeds"], length = embedded, 0
        mask = embedded.new_ones(embedded.shape[:2], dtype=torch.long)
    else:
        given["input_ids"] = torch.tensor([ids], device=device)
        length = given["input_ids"].shape[1]
        mask = torch.ones_like(given["input_ids"])
    clock = _FirstToken()
    with (
        attach(language_model.model, language_model.architecture, adapter)
        if adapter
        else nullcontext()
    ):
        output = language_model.model.generate(
            **given,
            attention_mask=mask,
            max_new_tokens=max_tokens,
            min_new_tokens=1,
            do_sample=False,
            eos_token_id=language_model.end_id,
            pad_token_id=language_model.end_id,
            stopping_criteria=StoppingCriteriaList([clock]),
        )
    at = clock.at if clock.at is not None else time.perf_counter()
    return Spoken(language_model.text(output[0, length:].tolist()), 1000 * (at - started))
