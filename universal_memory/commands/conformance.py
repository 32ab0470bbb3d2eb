"""`ump conformance`: does a file, renderer or space obey the specification (docs/protocol.md)?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from universal_memory.checks import FAILED, OK, SKIPPED, Check, passed
from universal_memory.commands.console import echo_json
from universal_memory.memory.bundle import Candidate, candidates
from universal_memory.memory.errors import StoreError
from universal_memory.memory.file import FORMAT_VERSION, MemoryFile, MemoryFileError
from universal_memory.memory.signing import load_trusted

if TYPE_CHECKING:
    from universal_memory.runtime.renderer_check import RendererReport

app = typer.Typer(no_args_is_help=True, add_completion=False)


@app.callback()
def conformance() -> None:
    """Check files, renderers and spaces against the UMP specification."""


@app.command("file")
def check_files(
    paths: Annotated[list[Path], typer.Argument(help=".ump files, folders or .tar bundles.")],
    space: Annotated[str | None, typer.Option(help="Require this space id.")] = None,
    trusted: Annotated[
        Path | None, typer.Option(help="Folder of *.pub keys: require a signature by one of them.")
    ] = None,
) -> None:
    """Check memory files; prints a JSON report, exit code 1 unless all conform."""
    keys = load_trusted(trusted) if trusted else None
    results: list[dict[str, Any]] = []
    for path in paths:
        try:
            results += [_check(candidate, space, keys) for candidate in candidates(path)]
        except StoreError as error:
            results.append(_refused(str(path), "unreadable", str(error)))
    conforming = sum(result["conforms"] for result in results)
    echo_json(
        {
            "protocol": f"UMP/{FORMAT_VERSION}",
            "checked": len(results),
            "conforming": conforming,
            "files": results,
        }
    )
    if conforming < len(results) or not results:
        raise typer.Exit(1)


@app.command("renderer")
def check_renderer_package(
    path: Annotated[Path, typer.Argument(help="Folder or .tar of a renderer package.")],
    trusted: Annotated[
        Path | None, typer.Option(help="Folder of *.pub keys: require a signature by one of them.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Its base model, as for `ump train`; else its own name.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Leave the acceptance test out.")] = False,
) -> None:
    """Check a renderer package, and its answers on its base model if that is here.

    Prints a JSON report, exit code 1 unless it conforms. The acceptance test asks 24 questions
    twice: with the file that holds the answer (oracle) and with another one (shuffled).
    """
    from universal_memory.rendering.packages.installation import staged
    from universal_memory.rendering.packages.manifest import PackageError
    from universal_memory.resources import models_dir
    from universal_memory.runtime.renderer_check import RendererReport, check_renderer

    keys = load_trusted(trusted) if trusted else None
    figures: dict[str, Any] | None = None
    try:
        with staged(path) as folder:
            report = check_renderer(folder, models_dir(), keys, model)
            figures = _accept(report, quick)
    except PackageError as error:
        report = RendererReport()
        report.add(error.reason, FAILED, str(error))
    manifest = report.package.manifest if report.package else None
    about = {"name": manifest.name, "space_id": manifest.space_id} if manifest else {}
    _finish(path, report.checks, about | {"acceptance": figures})


@app.command("space")
def check_space(
    path: Annotated[
        Path | None, typer.Argument(help="Folder of a space; else the installed one's.")
    ] = None,
    write_golden: Annotated[
        bool,
        typer.Option("--write-golden", help="Write its golden vectors first: for a new space."),
    ] = False,
) -> None:
    """Check a space: weights, id, norms, golden vectors, and that texts can be read back.

    Prints a JSON report, exit code 1 unless it conforms.
    """
    from universal_memory.resources import models_dir
    from universal_memory.routing.passport import WEIGHTS, PassportEncoder
    from universal_memory.space.golden import NAME, GoldenVectors, PassportsOf
    from universal_memory.space.semantic_space import SemanticSpace
    from universal_memory.space.space_check import check_space_folder, load_space

    folder = path or models_dir() / "space"

    def passports_over(space: SemanticSpace) -> PassportsOf:
        beside = (folder.parent / WEIGHTS).is_file()
        return PassportEncoder.load(space, folder.parent if beside else None).passports

    if write_golden:
        space = load_space(folder)
        GoldenVectors.of(space, passports_over(space)).save(folder / NAME)
    _finish(folder, check_space_folder(folder, passports_over), {})


def _accept(report: RendererReport, quick: bool) -> dict[str, Any] | None:
    """Add the acceptance test to a report; its figures, if it was made."""
    if not report.good or report.package is None:
        return None
    if quick or report.language_model is None:
        reason = "--quick" if quick else "the base model is not here"
        report.add("acceptance", SKIPPED, reason)
        return None
    from universal_memory.benchmarks.acceptance import acceptance
    from universal_memory.commands.figures import progress
    from universal_memory.rendering.packages.manifest import WEIGHTS
    from universal_memory.rendering.renderer import Renderer
    from universal_memory.rendering.token_embeddings import TokenEmbeddings
    from universal_memory.space.semantic_space import SemanticSpace

    model = report.language_model
    space = SemanticSpace.load()
    embeddings = TokenEmbeddings(model.model)
    try:
        renderer = Renderer.of_file(report.package.folder / WEIGHTS, space.reader, embeddings)
    except ValueError as error:
        report.add("acceptance", FAILED, str(error))
        return None
    with progress() as advance:
        found = acceptance(model, renderer, space, advance=advance)
    figures = found.as_dict()
    told = ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
    report.add("acceptance", OK if found.accepted else FAILED, told)
    return figures


def _finish(path: Path, checks: list[Check], about: dict[str, Any]) -> None:
    """Print the report of a folder; exit code 1 unless it conforms."""
    conforms = passed(checks)
    echo_json(
        {
            "protocol": f"UMP/{FORMAT_VERSION}",
            "path": str(path),
            "conforms": conforms,
            **about,
            "checks": [asdict(check) for check in checks],
        }
    )
    if not conforms:
        raise typer.Exit(1)


def _check(
    candidate: Candidate, space: str | None, keys: dict[str, bytes] | None
) -> dict[str, Any]:
    if candidate.refusal:
        return _refused(candidate.name, "unreadable", candidate.refusal)
    try:
        file = MemoryFile.from_bytes(candidate.data, space, keys)
    except MemoryFileError as error:
        return _refused(candidate.name, error.reason, str(error))
    return {
        "name": candidate.name,
        "conforms": True,
        "id": file.id,
        "space_id": file.space_id,
        "counter": file.counter,
        "key_id": file.key_id or None,
        "canonical": file.to_bytes() == candidate.data,
    }


def _refused(name: str, reason: str, message: str) -> dict[str, Any]:
    return {"name": name, "conforms": False, "reason": reason, "message": message}
