"""The manifest of a renderer package: what is in it, for which model, of which space.

It is a small JSON file beside the weights. It names the SHA-256 of every other file, and a
signature covers its very bytes, so nothing has to be put into a canonical form to check it.
`Manifest.from_bytes` applies the rules of docs/protocol.md to bytes that nobody vouches for.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from universal_memory.memory.format import MemoryFileError, check_space_id, no_duplicates, shown
from universal_memory.rendering.architecture import ArchitectureMap
from universal_memory.rendering.packages.model_identity import ModelIdentity

PACKAGE_VERSION = "1"
WEIGHTS, README = "renderer.safetensors", "README.md"
MAX_BYTES = {WEIGHTS: 4 * 2**30, README: 2**20}  # of the files that a manifest may name

_KEYS = {"ump_renderer", "name", "space_id", "base_model", "adapted", "scores", "files"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SCORE = re.compile(r"[A-Za-z0-9_]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MODULE = re.compile(r"[A-Za-z0-9_.]{1,128}")
_MOST = {"layers": 4096, "d_in": 2**20, "d_out": 2**20, "vocabulary": 2**24}


class PackageError(ValueError):
    """What is offered is no acceptable renderer package; `reason` names the broken rule."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class FileEntry:
    """A file of the package: its size and the SHA-256 of its bytes."""

    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a package says of itself.

    `name`: of the base model, and of the folder it is installed in. `layers`, `attention_layers`:
    the blocks that are adapted, in the maps that `base_model` names. `scores`: acceptance scores as
    the training wrote them. `files`: by name.
    """

    name: str
    space_id: str
    base_model: ModelIdentity
    layers: tuple[int, ...]
    attention_layers: tuple[int, ...]
    scores: Mapping[str, float]
    files: Mapping[str, FileEntry]

    def to_bytes(self) -> bytes:
        """The file `manifest.json`."""
        adapted = {"layers": self.layers, "attention_layers": self.attention_layers}
        value = {
            "ump_renderer": PACKAGE_VERSION,
            "name": self.name,
            "space_id": self.space_id,
            "base_model": self.base_model.as_dict(),
            "adapted": adapted,
            "scores": dict(self.scores),
            "files": {name: asdict(entry) for name, entry in self.files.items()},
        }
        return (json.dumps(value, indent=1) + "\n").encode("ascii")

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Read and check a manifest: any bytes give a valid one or a PackageError."""
        value = read_object(data, "manifest")
        if (version := value.get("ump_renderer")) != PACKAGE_VERSION:
            raise PackageError(
                "version",
                f"renderer package of version {shown(version)}; this reader knows"
                f" {PACKAGE_VERSION!r}; remedy: update universal_memory",
            )
        _require(set(value) == _KEYS, "keys", sorted(value))
        _require(_spelt(value["name"], _NAME), "name", value["name"])
        try:
            check_space_id(value["space_id"], None)
        except MemoryFileError as error:
            raise PackageError("space", str(error)) from error
        base_model = _base_model(value["base_model"])
        adapted = value["adapted"]
        known = isinstance(adapted, dict) and set(adapted) == {"layers", "attention_layers"}
        _require(known, "adapted", adapted)
        return cls(
            value["name"],
            value["space_id"],
            base_model,
            _layers(adapted, "layers", base_model.architecture.layers),
            _layers(adapted, "attention_layers", base_model.architecture.layers),
            _scores(value["scores"]),
            _files(value["files"]),
        )


def check_name(name: str) -> None:
    """Raises PackageError unless a renderer package may have this name."""
    if not _spelt(name, _NAME):
        raise PackageError(
            "manifest",
            f"{shown(name)} cannot be the name of a renderer: it has 1-64 letters, digits, dots,"
            " _ and -; remedy: rename the folder of the model",
        )


def read_object(data: bytes, what: str) -> dict[str, Any]:
    """A JSON object without duplicate keys, NaN or infinity. Raises PackageError."""
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=no_duplicates, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise PackageError("manifest", f"{what} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise PackageError("manifest", f"{what} is a JSON {type(value).__name__}, not an object")
    return value


def signed_bytes(manifest: bytes) -> bytes:
    """What a signature of a package covers. The first line separates this use of a key."""
    return f"UMP renderer package\n{hashlib.sha256(manifest).hexdigest()}\n".encode("ascii")


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _require(good: bool, name: str, value: Any) -> None:
    if not good:
        raise PackageError(
            "manifest",
            f"{name} of the manifest is {shown(value)}, against docs/protocol.md;"
            " remedy: make the package again with `ump renderer pack`",
        )


def _spelt(value: Any, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _whole(value: Any, least: int, most: int) -> bool:
    return type(value) is int and least <= value <= most


def _base_model(value: Any) -> ModelIdentity:
    names = [field.name for field in fields(ArchitectureMap)]
    known = isinstance(value, dict) and set(value) == {*names, "vocabulary", "tokens", "weights"}
    _require(known, "base_model", value)
    for name, one in value.items():
        if name in _MOST:
            good = _whole(one, 1, _MOST[name])
        else:
            good = _spelt(one, _DIGEST if name in ("tokens", "weights") else _MODULE)
        _require(good, f"{name} of base_model", one)
    architecture = ArchitectureMap(**{name: value[name] for name in names})
    return ModelIdentity(architecture, value["vocabulary"], value["tokens"], value["weights"])


def _layers(adapted: dict[str, Any], name: str, count: int) -> tuple[int, ...]:
    value = adapted[name]
    good = isinstance(value, list) and len(value) > 0
    good = good and all(_whole(layer, 0, count - 1) for layer in value)
    _require(good and value == sorted(set(value)), name, value)
    return tuple(value)


def _scores(value: Any) -> dict[str, float]:
    good = isinstance(value, dict) and len(value) <= 256
    good = good and all(_spelt(name, _SCORE) for name in value)
    good = good and all(type(score) in (int, float) for score in value.values())
    _require(good and all(_finite(score) for score in value.values()), "scores", value)
    return {name: float(score) for name, score in value.items()}


def _finite(value: float) -> bool:
    return abs(value) <= 1e9 and math.isfinite(value)


def _files(value: Any) -> dict[str, FileEntry]:
    good = isinstance(value, dict) and WEIGHTS in value and set(value) <= set(MAX_BYTES)
    _require(good, "files", value)
    for name, entry in value.items():
        known = isinstance(entry, dict) and set(entry) == {"bytes", "sha256"}
        known = known and _spelt(entry["sha256"], _DIGEST)
        _require(known and _whole(entry["bytes"], 0, MAX_BYTES[name]), f"file {name}", entry)
    return {name: FileEntry(**entry) for name, entry in value.items()}
