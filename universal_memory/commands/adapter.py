"""`ump adapter`: memories as adapters for programs that know nothing of memories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from universal_memory.commands.console import (
    IdsArgument,
    JsonOption,
    StoreOption,
    echo_json,
    root_of,
)

if TYPE_CHECKING:
    from universal_memory.memory.file import MemoryFile
    from universal_memory.rendering.peft_export import PeftAdapter

app = typer.Typer(no_args_is_help=True, add_completion=False)

README = "README.md"
README_TEXT = """\
# Memories as a LoRA

**This folder carries what the memories in it hold.** Whoever has it and the base model can ask for
it; forgetting a memory does not reach this copy. Hand it out as you would the text itself.

| | |
| --- | --- |
| base model | `{base}` |
| renderer, space | {model}, {space_id} |
| rank, scale | {rank}, 1 |
| largest difference of a logit from the robot's own adapter, when written | {deviation:.1e} |

| memory | gate |
| --- | --- |
{memories}

Load it with `peft`:

```python
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained({base!r})
model = PeftModel.from_pretrained(base, {folder!r})
```

Ask it with this prompt and nothing else (no system message, no other template), greedily:

```python
prompt = {template!r}.replace({sentinel!r}, "Where is the key?")
```

It is for this base model, weights included, and always on: it does not know which questions are
about its memories. Written by `ump adapter export`; see docs/adapter_export.md of Universal Memory.
"""


class ExportRefused(RuntimeError):
    """The memories were not exported; the message has the reason and the remedy."""


@dataclass(frozen=True)
class Export:
    """What goes into a folder: the adapter, and what its README tells of it."""

    adapter: PeftAdapter
    base: str
    space_id: str
    template: str
    sentinel: str


@app.callback()
def adapter() -> None:
    """Export memories as an adapter that other programs can load."""


@app.command("export")
def export_adapter(
    memory_ids: IdsArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder to write: new, or an empty one.")
    ],
    kind: Annotated[
        Literal["peft"],
        typer.Option("--format", help="peft: a LoRA as the library PEFT writes it."),
    ] = "peft",
    model: Annotated[
        str | None,
        typer.Option(help="Language model it is for: a name or a folder; else smollm2-135m."),
    ] = None,
    gate: Annotated[
        list[float] | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="How much of each memory: once for all, or once a memory, in their order; else 1.",
        ),
    ] = None,
    store: StoreOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write into a folder that is not empty.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Render memories into one adapter of a language model, and write it as a LoRA.

    The folder holds adapter_config.json and adapter_model.safetensors, as the library PEFT writes
    them, and a README.md with the prompt to ask with. The adapter is the one that the robot puts on
    when a question leads to these memories, its manner of answering included. It carries what the
    memories hold: hand it out as you would the text itself.
    """
    from universal_memory.encryption import store_cipher
    from universal_memory.memory.store import MemoryStore

    with MemoryStore(root_of(store), read_only=True, cipher=store_cipher()) as memories:
        ids = [memories.resolve(memory_id) for memory_id in memory_ids]
        if len(set(ids)) < len(ids):
            raise typer.BadParameter("a memory is named twice: name each once")
        gates = _gates(gate or [1.0], len(ids))
        _require_free(output, force)
        files = [memories.get(memory_id) for memory_id in ids]
    name, export = _render(files, gates, model)
    folder = output.expanduser().resolve()
    _write(folder, export, _readme(folder, export, name, ids, gates))
    result: dict[str, Any] = {
        "folder": str(folder),
        "memories": [{"id": i, "gate": g} for i, g in zip(ids, gates, strict=True)],
        "base_model": export.base,
        "space_id": export.space_id,
        "rank": export.adapter.rank,
        "modules": len(export.adapter.factors),
        "bytes": sum(path.stat().st_size for path in folder.glob("adapter_*")),
        "deviation": export.adapter.deviation,
    }
    if as_json:
        echo_json(result)
        return
    typer.echo(
        f"{len(ids)} memories exported to {output}: a LoRA of rank {result['rank']} in"
        f" {result['modules']} maps of {name}, {result['bytes'] / 1e6:.1f} MB"
    )
    typer.echo(f"how to load and ask it: {output / README}")
    typer.echo("it carries what the memories hold: forgetting them does not reach it", err=True)


def _gates(given: Sequence[float], count: int) -> list[float]:
    gates = list(given) * (count if len(given) == 1 else 1)
    if len(gates) != count:
        raise typer.BadParameter(
            f"{len(gates)} gates for {count} memories: give --gate once for all, or once for each"
        )
    return gates


def _require_free(output: Path, force: bool) -> None:
    folder = output.expanduser()
    if folder.exists() and not folder.is_dir():
        raise ExportRefused(f"{output} is a file; remedy: name a folder with --output")
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise ExportRefused(
            f"folder {output} is not empty; remedy: name another with --output, or give --force"
        )


def _render(
    files: Sequence[MemoryFile], gates: Sequence[float], model: str | None
) -> tuple[str, Export]:
    """The adapter that the robot would put on, and the name of the language model it is for."""
    import torch

    from universal_memory.rendering.fusion import fuse
    from universal_memory.rendering.peft_export import peft_adapter
    from universal_memory.rendering.renderer import Renderer
    from universal_memory.rendering.token_embeddings import TokenEmbeddings
    from universal_memory.runtime.language_model import (
        DEFAULT_MODEL,
        SENTINEL,
        LanguageModel,
        model_folder,
    )
    from universal_memory.space.semantic_space import SemanticSpace

    name = model or DEFAULT_MODEL
    space = SemanticSpace.load()
    for file in files:
        if file.space_id != space.space_id:
            raise ExportRefused(
                f"memory {file.id[:12]} is of space {file.space_id}, the trained models here read"
                f" {space.space_id}; remedy: set UMP_MODELS to the models of its space, or compile"
                " the experience again"
            )
    language_model = LanguageModel(name)
    renderer = Renderer.load(
        language_model.architecture,
        space.space_id,
        space.reader,
        TokenEmbeddings(language_model.model),
    )
    with torch.inference_mode():
        rendered = [renderer.render(torch.from_numpy(file.usv.copy())) for file in files]
        fused = fuse([renderer.manner(), *rendered], [1.0, *gates])
    adapter = peft_adapter(language_model.model, language_model.architecture, fused)
    base = str(model_folder(name).expanduser().resolve())
    return name, Export(adapter, base, space.space_id, language_model.template, SENTINEL)


def _readme(
    folder: Path, export: Export, model: str, ids: Sequence[str], gates: Sequence[float]
) -> str:
    rows = [f"| `{i}` | {gate:g} |" for i, gate in zip(ids, gates, strict=True)]
    return README_TEXT.format(
        base=export.base,
        folder=str(folder),
        model=Path(model).name,
        space_id=export.space_id,
        rank=export.adapter.rank,
        deviation=export.adapter.deviation,
        memories="\n".join(rows),
        template=export.template,
        sentinel=export.sentinel,
    )


def _write(folder: Path, export: Export, readme: str) -> None:
    from safetensors import SafetensorError

    try:
        export.adapter.save(folder, export.base)
        (folder / README).write_text(readme, encoding="utf-8")
    except (OSError, SafetensorError) as error:
        raise ExportRefused(
            f"cannot write {folder}: {error}; remedy: free disk space, or name another folder with"
            " --output"
        ) from error
