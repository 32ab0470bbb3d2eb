"""Tiny random models: decoders of many families, a tokenizer, a folder that `LanguageModel` loads.

Weights are drawn with a spread that makes every layer matter; with the usual 0.02 a decoder of this
size is its embedding and little else.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from universal_memory.rendering.adapter import Adapter, LowRank
from universal_memory.rendering.architecture import ArchitectureMap, inspect_architecture
from universal_memory.runtime.language_model import LanguageModel

VOCABULARY = 96
LAYERS = 4
WIDTH, INNER = 32, 64
END, START = "<|im_end|>", "<|im_start|>"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>user\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{{ '<|im_start|>assistant\n' }}"  # jinja drops a bare newline at the end
)


COMMON = {
    "hidden_size": WIDTH,
    "intermediate_size": INNER,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
    "tie_word_embeddings": True,
}
GROUPED = COMMON | {"num_key_value_heads": 2}
# Local attention sees fewer tokens than the tests have.
LOCAL = GROUPED | {
    "head_dim": 8,
    "sliding_window": 4,
    "layer_types": ["sliding_attention", "full_attention"] * (LAYERS // 2),
}
OPT = COMMON | {"ffn_dim": INNER, "word_embed_proj_dim": WIDTH, "init_std": 0.2}
CONFIGS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", GROUPED),
    "mistral": ("mistral", GROUPED | {"sliding_window": 4}),
    "qwen2": ("qwen2", GROUPED),
    "qwen3": ("qwen3", GROUPED | {"head_dim": 8}),
    "gemma2": ("gemma2", LOCAL | {"query_pre_attn_scalar": 8, "final_logit_softcapping": 3.0}),
    "gemma3": ("gemma3_text", LOCAL),
    "phi3": ("phi3", GROUPED | {"pad_token_id": 0}),
    "gpt2": ("gpt2", COMMON | {"n_inner": INNER}),
    "gpt_neox": ("gpt_neox", COMMON | {"tie_word_embeddings": False}),
    "opt": ("opt", OPT),
    # As OPT-350m: embeddings narrower than the hidden states, norms after the maps.
    "opt_narrow": ("opt", OPT | {"word_embed_proj_dim": 24, "do_layer_norm_before": False}),
}
FAMILIES = tuple(CONFIGS)
# Not found by inspection; its block returns a tuple, and its output map has a bias.
CONFIGS["gptj"] = ("gptj", COMMON | {"n_inner": INNER, "rotary_dim": 4, "bos_token_id": 0})


def tiny_model(family: str, seed: int = 0, vocabulary: int = VOCABULARY) -> PreTrainedModel:
    """A random decoder of `family` in float32, in evaluation mode, its weights frozen."""
    torch.manual_seed(seed)
    model_type, settings = CONFIGS[family]
    config = AutoConfig.for_model(model_type, vocab_size=vocabulary, **settings)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config)
    return model.eval().requires_grad_(False)


def random_adapter(
    architecture: ArchitectureMap, layers: tuple[int, ...] = (1, 3), rank: int = 5, seed: int = 7
) -> Adapter:
    """An adapter of normal numbers, about as strong as the map it changes."""
    drawn = torch.Generator().manual_seed(seed)
    return Adapter(
        layers,
        torch.randn(len(layers), rank, architecture.d_in, generator=drawn),
        torch.randn(len(layers), rank, architecture.d_out, generator=drawn) * 0.1,
    )


def listening(
    architecture: ArchitectureMap, layers: tuple[int, ...] = (1, 3), rank: int = 3, seed: int = 11
) -> Adapter:
    """A random adapter that changes attention too."""
    drawn = torch.Generator().manual_seed(seed)
    shape = (len(layers), rank, architecture.d_out)
    keys, values = (torch.randn(shape, generator=drawn) * 0.3 for _ in range(2))
    adapter = random_adapter(architecture, layers, seed=seed)
    return replace(adapter, attention=LowRank(layers, keys, values))


def random_ids(batch: int = 2, time: int = 9, vocabulary: int = VOCABULARY) -> Tensor:
    """Token ids int64 [batch, time]."""
    return torch.randint(vocabulary, (batch, time), generator=torch.Generator().manual_seed(3))


def parameters_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of every parameter and buffer, to compare with later."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_untouched(model: nn.Module, before: dict[str, Tensor]) -> None:
    """Every parameter is bit for bit what it was, and no hook is left anywhere."""
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert not [
        name
        for name, part in model.named_modules()
        if part._forward_hooks or part._forward_pre_hooks
    ]


def as_language_model(model: PreTrainedModel) -> LanguageModel:
    """`model` as a LanguageModel without a tokenizer, for what needs the decoder only."""
    language_model = LanguageModel.__new__(LanguageModel)
    language_model.model, language_model.device = model, "cpu"
    language_model.architecture = inspect_architecture(model)
    return language_model


def save_language_model(folder: Path, texts: list[str], vocabulary: int = 900) -> Path:
    """A folder with a tiny Llama and a byte-level BPE tokenizer trained on `texts`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END)
    fast.chat_template = TEMPLATE
    fast.save_pretrained(str(folder))
    tiny_model("llama", vocabulary=len(fast)).save_pretrained(str(folder))
    return folder
