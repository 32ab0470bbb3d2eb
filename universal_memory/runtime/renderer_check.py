"""Whether a renderer package is whole, of the installed space, and for the base model that is here.

What can be told without the space or the model is told by `RendererPackage.read`; this adds the
rest, and gives every rule a line of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from universal_memory.checks import FAILED, OK, SKIPPED, WARNING, Check, passed
from universal_memory.rendering.architecture import UnknownArchitectureError
from universal_memory.rendering.packages.installation import check_space
from universal_memory.rendering.packages.manifest import Manifest, PackageError
from universal_memory.rendering.packages.model_identity import ModelIdentity
from universal_memory.rendering.packages.package import RendererPackage
from universal_memory.runtime.language_model import PACKAGED, LanguageModel
from universal_memory.space.semantic_space import WEIGHTS
from universal_memory.weights import read_card


@dataclass
class RendererReport:
    """The checks made so far; package and base model as far as they were found to be good."""

    checks: list[Check] = field(default_factory=list)
    package: RendererPackage | None = None
    language_model: LanguageModel | None = None

    @property
    def good(self) -> bool:
        """Whether nothing failed."""
        return passed(self.checks)

    def add(self, name: str, state: str, message: str = "") -> None:
        """Note one check."""
        self.checks.append(Check(name, state, message))


def installed_space_id(models: Path) -> str:
    """The space of a models folder. Raises FileNotFoundError or WeightsError with the remedy."""
    return str(read_card(models / WEIGHTS).get("space_id"))


def check_renderer(
    folder: Path,
    models: Path,
    trusted: Mapping[str, bytes] | None = None,
    model: str | None = None,
) -> RendererReport:
    """Check the package in `folder` against the space in `models` and its base model.

    trusted: as for `RendererPackage.read`. model: name or folder of the base model; None: the name
    in the manifest.
    """
    report = RendererReport()
    try:
        package = RendererPackage.read(folder, trusted)
    except PackageError as error:
        report.add(error.reason, FAILED, str(error))
        return report
    report.package, manifest = package, package.manifest
    report.add("files", OK, f"{len(manifest.files)} files, hashes, card and tensors")
    _signature(report, package, trusted)
    try:
        check_space(manifest, installed_space_id(models))
        report.add("space", OK, manifest.space_id)
    except FileNotFoundError as error:
        report.add("space", SKIPPED, f"no space is installed in {models}: {error}")
    except ValueError as error:
        report.add("space", FAILED, str(error))
    _base_model(report, manifest, model)
    return report


def _signature(
    report: RendererReport, package: RendererPackage, trusted: Mapping[str, bytes] | None
) -> None:
    if trusted is not None:
        report.add("signature", OK, f"by the trusted key {package.key_id}")
    elif package.key_id:
        message = f"says to be of key {package.key_id}; give --trusted to check it"
        report.add("signature", SKIPPED, message)
    else:
        report.add("signature", SKIPPED, "not signed")


def _base_model(report: RendererReport, manifest: Manifest, model: str | None) -> None:
    """Load the base model if it is here, and compare it with the one of the manifest.

    A manifest may name a packaged model, not a folder of this machine: what is loaded is not its
    maker's choice.
    """
    name = model or manifest.name
    if model is None and name not in PACKAGED:
        report.add("base_model", SKIPPED, f"{name} is no packaged model: name its folder, --model")
        return
    try:
        language_model = LanguageModel(name, places=manifest.base_model.architecture.places)
    except UnknownArchitectureError as error:
        report.add("base_model", FAILED, f"the package is for another model than {name}: {error}")
        return
    except FileNotFoundError as error:
        state = SKIPPED if model is None else FAILED
        report.add("base_model", state, f"{error}; remedy: name its folder with --model")
        return
    here = ModelIdentity.of(
        language_model.model, language_model.architecture, language_model.tokenizer
    )
    different = manifest.base_model.differences(here)
    weights = different.pop("weights", None)
    if different:
        told = "; ".join(f"{name} {a!r:.20}, here {b!r:.20}" for name, (a, b) in different.items())
        report.add(
            "base_model",
            FAILED,
            f"the package is for another model than {name}: {told}; remedy: name its base model"
            " with --model, or train a renderer of this one with `ump train renderer`",
        )
        return
    report.language_model = language_model
    if weights is None:
        report.add("base_model", OK, f"{name}, {here.architecture.layers} blocks")
        return
    report.add(
        "base_model",
        WARNING,
        f"{name} has the architecture and the tokens of the package's base model but other weights"
        " (fine-tuned, or quantised in another way): `ump conformance renderer` tells whether the"
        " renderer works on it",
    )
