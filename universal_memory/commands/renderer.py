"""`ump renderer`: renderers as packages that can be checked, installed and handed on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from universal_memory.commands.console import JsonOption, echo_json, echo_table, printable
from universal_memory.resources import models_dir

app = typer.Typer(no_args_is_help=True, add_completion=False)

NameOrPath = Annotated[
    str, typer.Argument(help="Name of an installed renderer, or a folder or .tar of a package.")
]
TrustedOption = Annotated[
    Path | None,
    typer.Option("--trusted", help="Folder of *.pub keys: refuse what none of them signed."),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Its base model, as for `ump train`; else the renderer's name."),
]


@app.callback()
def renderer() -> None:
    """List, show, verify, install and pack renderers: what lets a model use memory files."""


@app.command("list")
def list_renderers(as_json: JsonOption = False) -> None:
    """List the renderers of the models folder, with their models, spaces and scores."""
    rows = [_row(folder) for folder in _installed().values()]
    if as_json:
        echo_json(rows)
        return
    if not rows:
        typer.echo(f"no renderer in {_folder()}; `ump renderer install` or `ump train renderer`")
        return
    names = ("held_out_1", "held_out_3", "held_out_shuffled")
    echo_table(
        ("name", "space", "blocks", *names, "package"),
        [
            (
                row["name"],
                row.get("space_id", "-"),
                row.get("adapted", "-"),
                *(f"{row['scores'][n]:.3f}" if n in row.get("scores", ()) else "-" for n in names),
                row["package"],
            )
            for row in rows
        ],
    )


@app.command()
def show(package: NameOrPath, as_json: JsonOption = False) -> None:
    """Show one renderer: its space, its base model, what it adapts, how it was made and scored."""
    with _opened(package) as folder:
        shown = _details(folder, package)
    if as_json:
        echo_json(shown)
        return
    rows: list[tuple[str, object]] = []
    for name, value in shown.items():
        inner = value.items() if isinstance(value, dict) else [("", value)]
        rows += [(f"{name} {key}".strip(), _text(one)) for key, one in inner]
    echo_table(("field", "value"), rows)


@app.command()
def verify(
    package: NameOrPath,
    trusted: TrustedOption = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check hashes, signature, space and base model; exit code 1 if anything is wrong."""
    from universal_memory.memory.signing import load_trusted
    from universal_memory.runtime.renderer_check import check_renderer

    keys = load_trusted(trusted) if trusted else None
    with _opened(package) as folder:
        report = check_renderer(folder, models_dir(), keys, model)
    if as_json:
        checks = [asdict(check) for check in report.checks]
        echo_json({"package": package, "verified": report.good, "checks": checks})
    else:
        rows = [(check.name, check.state, check.message) for check in report.checks]
        echo_table(("check", "state", "what"), rows)
    if not report.good:
        raise typer.Exit(1)


@app.command()
def install(
    path: Annotated[Path, typer.Argument(help="Folder or .tar of a renderer package.")],
    trusted: TrustedOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace another renderer of that name.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a package and put it into the models folder ($UMP_MODELS), whole or not at all."""
    from universal_memory.memory.signing import load_trusted
    from universal_memory.rendering.packages import installation
    from universal_memory.runtime.renderer_check import installed_space_id

    keys = load_trusted(trusted) if trusted else None
    models = models_dir()
    space_id = installed_space_id(models)
    installed, new = installation.install(path, models, space_id, keys, force)
    if as_json:
        echo_json({"name": installed.manifest.name, "path": str(installed.folder), "new": new})
    elif new:
        typer.echo(f"renderer {installed.manifest.name} installed as {installed.folder}")
    else:
        typer.echo(f"renderer {installed.manifest.name} was there already")


@app.command()
def pack(
    name: Annotated[str, typer.Argument(help="Name of an installed renderer.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .tar to write; else the manifest alone is."),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="Private key to sign with; `ump key make` makes one."),
    ] = None,
    model: ModelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the manifest of a renderer, and with --output the whole as one file.

    The manifest is written anew beside the weights, from the base model, which must be here. Pack
    again after training: a manifest of before does not fit.
    """
    from universal_memory.memory.signing import Signer
    from universal_memory.rendering.packages import archive
    from universal_memory.rendering.packages.model_identity import ModelIdentity
    from universal_memory.rendering.packages.package import write_manifest
    from universal_memory.runtime.language_model import LanguageModel

    if output is not None and output.suffix != archive.SUFFIX:
        raise typer.BadParameter(f"{output} is no .tar: name one with --output")
    folder = _installed_folder(name)
    signer = Signer.load(key) if key else None
    base = LanguageModel(model or name)
    identity = ModelIdentity.of(base.model, base.architecture, base.tokenizer)
    manifest = write_manifest(folder, name, identity, signer)
    if output is not None:
        archive.pack(folder, output)
    written = str(output or folder / archive.MANIFEST)
    if as_json:
        key_id = signer.key_id if signer else None
        echo_json({"name": manifest.name, "path": written, "key_id": key_id})
    else:
        typer.echo(f"renderer {name} packed: {written}{', signed' if signer else ''}")


def _folder() -> Path:
    return models_dir() / "renderers"


def _installed() -> dict[str, Path]:
    """Folders of the renderers of the models folder, by name."""
    weights = sorted(_folder().glob("*/renderer.safetensors"))
    return {path.parent.name: path.parent for path in weights}


def _installed_folder(name: str) -> Path:
    installed = _installed()
    if name not in installed:
        raise FileNotFoundError(
            f"no renderer {printable(name)} in {_folder()}; there are:"
            f" {', '.join(installed) or 'none'}; remedy: `ump renderer install PATH`"
        )
    return installed[name]


@contextmanager
def _opened(package: str) -> Iterator[Path]:
    """The folder of an installed renderer, or a private copy of a package somewhere else."""
    from universal_memory.rendering.packages.installation import staged

    if package in _installed() or not Path(package).exists():
        yield _installed_folder(package)
        return
    with staged(Path(package)) as folder:
        yield folder


def _row(folder: Path) -> dict[str, Any]:
    """What a list tells of a renderer, from its card; nothing is hashed."""
    from universal_memory.weights import WeightsError, read_card

    kind = "no manifest"
    if (folder / "manifest.json").is_file():
        kind = "signed" if (folder / "signature.json").is_file() else "yes"
    try:
        card = read_card(folder / "renderer.safetensors")
        config, scores = card["config"], card.get("scores", {})
        layers = config["layers"]
        return {
            "name": folder.name,
            "space_id": config["space_id"],
            "adapted": f"{layers[0]}-{layers[-1]}",
            "scores": scores,
            "package": kind,
        }
    except (WeightsError, AttributeError, KeyError, TypeError, IndexError) as error:
        return {"name": folder.name, "package": f"damaged: {error}"}


def _details(folder: Path, package: str) -> dict[str, Any]:
    """Card and manifest. A foreign package is checked before its card is read."""
    from universal_memory.rendering.packages.package import RendererPackage
    from universal_memory.weights import read_card

    foreign = package not in _installed()
    if foreign or (folder / "manifest.json").is_file():
        found = RendererPackage.read(folder)
        manifest = found.manifest
        shown: dict[str, Any] = {
            "name": manifest.name,
            "space_id": manifest.space_id,
            "signed_by": found.key_id or None,
            "base_model": manifest.base_model.as_dict(),
        }
    else:
        shown = {"name": folder.name, "manifest": "none: `ump renderer pack` writes it"}
    card = read_card(folder / "renderer.safetensors")
    config = card.pop("config", {})
    scores = card.pop("scores", {})
    return {**shown, "configuration": config, "scores": scores, "made": card}


def _text(value: Any) -> str:
    if value in (None, ""):
        return "-"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
