"""`ump adapter` as a user meets it: real space, tiny or real language model, loaded with `peft`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from command_line import Ump, runner
from peft import PeftModel
from torch import Tensor

from universal_memory.memory.file import MemoryFile
from universal_memory.memory.store import MemoryStore
from universal_memory.rendering.adapter import Adapter, attach
from universal_memory.rendering.fusion import fuse
from universal_memory.rendering.renderer import Renderer, RendererConfig
from universal_memory.rendering.token_embeddings import TokenEmbeddings
from universal_memory.resources import models_dir
from universal_memory.runtime.language_model import LanguageModel
from universal_memory.space.semantic_space import SemanticSpace
from universal_memory.space.text_tower import TextTower
from universal_memory.weights import save_weights

TEXTS = ("Anna keeps the spare key in the drawer.", "The ladder is green.")
QUESTION = "Where does Anna keep the spare key?"


@pytest.fixture
def ump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ump:
    monkeypatch.setenv("UMP_HOME", str(tmp_path / "home"))
    return runner(capsys, joined=True)


@pytest.fixture(scope="module")
def space() -> SemanticSpace:
    return SemanticSpace.load()


@pytest.fixture
def ids(tmp_path: Path, space: SemanticSpace) -> list[str]:
    """TEXTS as memories of the default store, found by nobody: the passports are random."""
    random = np.random.default_rng(0)
    found = []
    with MemoryStore(tmp_path / "home") as store:
        for number, usv in enumerate(space.encode(list(TEXTS)), start=1):
            passport = random.normal(size=1024)
            passport /= np.linalg.norm(passport)
            found.append(store.add(MemoryFile.create(usv, passport, space.space_id, number)))
    return found


@pytest.fixture(scope="module")
def tiny_models(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_folder: Path,
    tower: TextTower,
    tokens: Tensor,
    space: SemanticSpace,
) -> Path:
    """A models folder: the real space, and a loud random renderer of the tiny Llama."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "space").symlink_to(models_dir() / "space")
    language_model = LanguageModel(str(tiny_folder))
    config = RendererConfig.for_architecture(language_model.architecture, space.space_id)
    torch.manual_seed(0)
    embeddings = TokenEmbeddings(language_model.model)
    renderer = Renderer(config, space.reader, embeddings, tokens).requires_grad_(False)
    renderer.value.mul_(50)
    renderer.manner_value.normal_()
    renderer.manner_attention_value.normal_(std=0.3)
    card = {"config": asdict(config)}
    save_weights(folder / "renderers" / "tiny" / "renderer.safetensors", renderer, card)
    return folder


def put_on(
    language_model: LanguageModel, space: SemanticSpace, root: Path, gates: dict[str, float]
) -> Adapter:
    """The adapter as an answerer puts it on, where a question has led to these memories."""
    embeddings = TokenEmbeddings(language_model.model)
    renderer = Renderer.load(language_model.architecture, space.space_id, space.reader, embeddings)
    with MemoryStore(root, read_only=True) as store:
        usvs = [torch.from_numpy(store.get(memory_id).usv.copy()) for memory_id in gates]
    return fuse([renderer.manner(), *map(renderer.render, usvs)], [1.0, *gates.values()])


@torch.no_grad()
def logits(model: Any, prompt: list[int]) -> Tensor:
    out: Tensor = model(torch.tensor([prompt])).logits
    return out


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, tiny_models: Path, tiny_folder: Path) -> Path:
    monkeypatch.setenv("UMP_MODELS", str(tiny_models))
    return tiny_folder


def test_peft_loads_what_the_robot_would_put_on(
    ump: Ump, tiny: Path, tmp_path: Path, space: SemanticSpace, ids: list[str]
) -> None:
    folder = tmp_path / "out" / "lora"
    result = ump(
        "adapter", "export", ids[0][:8], ids[1], "--format", "peft", "--output", folder,
        "--model", tiny, "--gate", 1, "--gate", 0.5, "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    told = result.json
    assert told["memories"] == [{"id": ids[0], "gate": 1.0}, {"id": ids[1], "gate": 0.5}]
    assert (told["folder"], told["base_model"]) == (str(folder), str(tiny))
    assert told["space_id"] == space.space_id and told["deviation"] < 1e-4
    language_model = LanguageModel(str(tiny))
    prompt = language_model.prompt_ids(QUESTION)
    plain = logits(language_model.model, prompt)
    adapter = put_on(language_model, space, tmp_path / "home", {ids[0]: 1.0, ids[1]: 0.5})
    assert told["rank"] == adapter.rank
    with attach(language_model.model, language_model.architecture, adapter):
        wanted = logits(language_model.model, prompt)
    assert (wanted - plain).abs().max() > 0.1
    loaded = PeftModel.from_pretrained(language_model.model, str(folder))
    assert (logits(loaded, prompt) - wanted).abs().max() < 1e-4


def test_the_readme_tells_whose_it_is_and_how_to_ask(
    ump: Ump, tiny: Path, tmp_path: Path, space: SemanticSpace, ids: list[str]
) -> None:
    folder = tmp_path / "lora"
    result = ump("adapter", "export", ids[0], "-o", folder, "--model", tiny, "--gate", 0.75)
    assert result.code == 0, result.err
    assert "1 memories exported" in result.out and str(folder / "README.md") in result.out
    assert "carries what the memories hold" in result.err
    readme = (folder / "README.md").read_text()
    assert f"| `{ids[0]}` | 0.75 |" in readme and ids[1] not in readme
    assert space.space_id in readme and str(tiny) in readme
    assert "carries what the memories in it hold" in readme
    assert not any(text in readme for text in TEXTS)
    code = [part.split("```")[0] for part in readme.split("```python\n")[1:]]
    told: dict[str, Any] = {}
    for part in code:  # what it says to do is done
        exec(part, told)
    language_model = LanguageModel(str(tiny))
    ids_of = language_model.tokenizer.encode(told["prompt"], add_special_tokens=False)
    assert ids_of == language_model.prompt_ids("Where is the key?")
    assert isinstance(told["model"], PeftModel)


def test_a_folder_with_something_in_it_is_kept(
    ump: Ump, tiny: Path, tmp_path: Path, ids: list[str]
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    arguments = ("adapter", "export", ids[0], "--output", folder, "--model", tiny)
    result = ump(*arguments)
    assert result.code == 1 and "is not empty; remedy:" in result.err
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]
    assert ump(*arguments, "--force").code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "adapter_config.json", "adapter_model.safetensors", "letter.txt",
    ]  # fmt: skip
    result = ump("adapter", "export", ids[0], "--output", folder / "letter.txt", "--force")
    assert result.code == 1 and "is a file; remedy:" in result.err


def test_refusals_name_the_remedy_and_write_nothing(
    ump: Ump, tiny: Path, tmp_path: Path, ids: list[str]
) -> None:
    folder = tmp_path / "lora"
    random = np.random.default_rng(1)
    passport = random.normal(size=1024)
    with MemoryStore(tmp_path / "home") as store:
        stranger = store.add(
            MemoryFile.create(
                random.normal(size=(16, 256)), passport / np.linalg.norm(passport), "other/1", 9
            )
        )

    def refused(*arguments: object) -> str:
        result = ump("adapter", "export", *arguments, "--output", folder)
        assert result.code == 1 and result.out == "" and not folder.exists()
        return result.err

    assert "no memory has an id" in refused("abcd0123")
    assert "is of space other/1" in refused(ids[0], stranger, "--model", tiny)
    assert "no renderer for this llama model" in (
        told := refused(ids[0], "--model", untrained(tmp_path))
    )
    assert "remedy: `ump train renderer" in told
    assert "no language model 'nothing'" in refused(ids[0], "--model", "nothing")
    assert "no memory store at" in refused(ids[0], "--store", tmp_path / "elsewhere")


def untrained(folder: Path) -> Path:
    """A model that no renderer is for."""
    from tiny_models import save_language_model
    from transformers import LlamaConfig, LlamaForCausalLM

    other = save_language_model(folder / "other", ["a few words"] * 3)
    config = LlamaConfig.from_pretrained(str(other), num_hidden_layers=2)
    LlamaForCausalLM(config).save_pretrained(str(other))
    return other


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--gate", 1.5), "equal to 1"),
        (("--gate", 1, "--gate", 1, "--gate", 1), "3 gates for 2 memories"),
        (("--format", "gguf"), "'gguf' is not"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_loaded(
    ump: Ump, tmp_path: Path, ids: list[str], arguments: tuple[object, ...], reason: str
) -> None:
    result = ump("adapter", "export", *ids, "--output", tmp_path / "lora", *arguments)
    assert result.code == 2 and reason in result.err
    result = ump("adapter", "export", ids[0], ids[0][:9], "--output", tmp_path / "lora")
    assert result.code == 2 and "named twice" in result.err


def test_a_disk_that_says_no_is_one_line(
    ump: Ump, tiny: Path, tmp_path: Path, ids: list[str]
) -> None:
    (tmp_path / "file").write_text("")
    folder = tmp_path / "file" / "lora"
    result = ump("adapter", "export", ids[0], "--output", folder, "--model", tiny)
    assert result.code == 1 and "cannot write" in result.err and "remedy:" in result.err


@pytest.mark.slow
def test_a_real_memory_in_peft_gives_the_robots_answer(
    ump: Ump, tmp_path: Path, space: SemanticSpace, ids: list[str]
) -> None:
    folder = tmp_path / "lora"
    result = ump("adapter", "export", *ids, "--output", folder, "--json")
    assert result.code == 0, result.err
    language_model = LanguageModel()
    prompt = language_model.prompt_ids(QUESTION)
    plain = language_model.generate([prompt], 12)
    adapter = put_on(language_model, space, tmp_path / "home", dict.fromkeys(ids, 1.0))
    with attach(language_model.model, language_model.architecture, adapter):
        wanted, answer = logits(language_model.model, prompt), language_model.generate([prompt], 12)
    language_model.model = PeftModel.from_pretrained(language_model.model, str(folder))
    difference = float((logits(language_model.model, prompt) - wanted).abs().max())
    assert language_model.generate([prompt], 12) == answer != plain
    assert "drawer" in answer[0]
    assert difference < 1e-4, result.json
