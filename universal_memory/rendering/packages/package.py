"""A renderer package: a renderer that can be handed on, checked before anything of it is used.

A folder with the weights (safetensors, the card in their metadata), a README, `manifest.json` that
says what they are for, and optionally `signature.json`; or a tar of these (`archive`).
Every folder of a renderer that was trained here becomes a package by its manifest, and is loaded
with or without one.

A package of others is untrusted, in this order: sizes, signature, manifest, the hash of every file,
and only then the card and the tensors. Whatever is installed was read from a private copy
(`installation`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from universal_memory.memory.durable import write_atomic
from universal_memory.memory.signing import Signer, verify
from universal_memory.rendering.packages.archive import LIMITS, MANIFEST, SIGNATURE
from universal_memory.rendering.packages.manifest import (
    MAX_BYTES,
    WEIGHTS,
    FileEntry,
    Manifest,
    PackageError,
    read_object,
    signed_bytes,
)
from universal_memory.rendering.packages.model_identity import ModelIdentity
from universal_memory.rendering.packages.tensors import check_tensors
from universal_memory.rendering.renderer import RendererConfig
from universal_memory.weights import read_card

UNWRITABLE = "remedy: give this user write permission, or set UMP_MODELS to a folder of yours"
_PATTERNS = {"key_id": re.compile(r"[0-9a-f]{32}"), "signature": re.compile(r"[0-9a-f]{128}")}


@dataclass(frozen=True)
class RendererPackage:
    """A package whose files are those of its manifest. `key_id`: of who says to have signed it."""

    folder: Path
    manifest: Manifest
    key_id: str = ""

    @classmethod
    def read(cls, folder: Path, trusted: Mapping[str, bytes] | None = None) -> RendererPackage:
        """Check the package in `folder`: every rule that needs neither the space nor the model.

        trusted (key id → raw Ed25519 public key): refuse what none of these keys signed; None
        does not look at signatures. Raises PackageError.
        """
        data = _small_file(folder, MANIFEST)
        key_id = ""
        if trusted is not None or (folder / SIGNATURE).exists():
            key_id = _signed_by(folder, data, trusted)
        manifest = Manifest.from_bytes(data)
        _check_named(folder, manifest)
        for name, entry in manifest.files.items():
            if (found := file_entry(folder / name)) != entry:
                raise PackageError(
                    "hash",
                    f"{name} has {found.bytes} bytes with SHA-256 {found.sha256}, the"
                    f" manifest says {entry.bytes} and {entry.sha256}; remedy: fetch the package"
                    " again, or if it was trained here write its manifest anew with"
                    f" `ump renderer pack {manifest.name}`",
                )
        _check_card(folder / WEIGHTS, manifest)
        check_tensors(folder / WEIGHTS, manifest)
        return cls(folder, manifest, key_id)


def write_manifest(
    folder: Path, name: str, base_model: ModelIdentity, signer: Signer | None = None
) -> Manifest:
    """Make a folder with trained weights a package; what was signed before is signed no longer."""
    card = read_card(folder / WEIGHTS)
    config = RendererConfig.from_card(card)
    files = {each: file_entry(folder / each) for each in MAX_BYTES if (folder / each).is_file()}
    scores = {name: float(score) for name, score in card.get("scores", {}).items()}
    manifest = Manifest(
        name, config.space_id, base_model, config.layers, config.attention_layers, scores, files
    )
    data = manifest.to_bytes()
    Manifest.from_bytes(data)  # what this writes others must be able to read
    _check_card(folder / WEIGHTS, manifest)
    try:
        (folder / SIGNATURE).unlink(missing_ok=True)
        write_atomic(folder / MANIFEST, data)
        if signer is not None:
            signature = signer.sign(signed_bytes(data)).hex()
            text = json.dumps({"key_id": signer.key_id, "signature": signature}, indent=1) + "\n"
            write_atomic(folder / SIGNATURE, text.encode("ascii"))
    except OSError as error:
        raise PackageError(
            "unwritable", f"cannot write {folder}: {error.strerror or error}; {UNWRITABLE}"
        ) from error
    return manifest


def _small_file(folder: Path, name: str) -> bytes:
    path, most = folder / name, LIMITS[name]
    try:
        with path.open("rb") as stream:
            data = stream.read(most + 1)
    except OSError as error:
        raise PackageError(
            "manifest" if name == MANIFEST else "signature",
            f"no readable {name} in {folder} ({error.strerror}); remedy: `ump renderer pack`"
            " makes a folder of trained weights a package",
        ) from error
    if len(data) > most:
        raise PackageError("oversize", f"{path} has more than {most} bytes")
    return data


def _signed_by(folder: Path, manifest: bytes, trusted: Mapping[str, bytes] | None) -> str:
    """The key id of the signature. Raises PackageError unless it is a trusted key's, if asked."""
    if trusted is not None and not (folder / SIGNATURE).exists():
        raise PackageError(
            "signature", "the package is not signed; remedy: ask its maker for a signed one"
        )
    value = read_object(_small_file(folder, SIGNATURE), SIGNATURE)
    spelt = set(value) == set(_PATTERNS) and all(
        isinstance(value[name], str) and pattern.fullmatch(value[name])
        for name, pattern in _PATTERNS.items()
    )
    if not spelt:
        raise PackageError("signature", f"{SIGNATURE} needs exactly {', '.join(_PATTERNS)} in hex")
    key_id = str(value["key_id"])
    if trusted is None:
        return key_id
    if key_id not in trusted:
        raise PackageError("signature", f"signed by {key_id}, which is not a trusted key")
    if not verify(signed_bytes(manifest), bytes.fromhex(value["signature"]), trusted[key_id]):
        raise PackageError("signature", f"signature does not match key {key_id} and this manifest")
    return key_id


def _check_named(folder: Path, manifest: Manifest) -> None:
    """No file that a package may have is there without a hash in the manifest."""
    for name in MAX_BYTES:
        if name not in manifest.files and (folder / name).exists():
            raise PackageError(
                "hash", f"{name} is not named in the manifest; remedy: `ump renderer pack`"
            )


def file_entry(path: Path) -> FileEntry:
    """Size and hash of a file, not read beyond what such a file may have."""
    found, size, most = hashlib.sha256(), 0, LIMITS[path.name]
    try:
        with path.open("rb") as stream:
            while size <= most and (chunk := stream.read(2**20)):
                found.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise PackageError(
            "hash", f"cannot read {path.name}: {error.strerror}; remedy: fetch the package again"
        ) from error
    return FileEntry(size, found.hexdigest())


def _check_card(weights: Path, manifest: Manifest) -> None:
    """The card in the weights says the same as the manifest."""
    try:
        card = read_card(weights)
        config = RendererConfig.from_card(card)
        scores = {name: float(score) for name, score in card.get("scores", {}).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PackageError("card", f"{WEIGHTS} has no usable card: {error!r}") from error
    architecture = manifest.base_model.architecture
    pairs = {
        "space_id": (config.space_id, manifest.space_id),
        "layers": (config.layers, manifest.layers),
        "attention_layers": (config.attention_layers, manifest.attention_layers),
        "d_in": (config.d_in, architecture.d_in),
        "d_out": (config.d_out, architecture.d_out),
        "fingerprint": (config.fingerprint, architecture.fingerprint),
        "scores": (scores, dict(manifest.scores)),
    }
    for name, (said, wanted) in pairs.items():
        if said != wanted:
            raise PackageError(
                "card",
                f"{name} is {said!r:.80} in the card of {WEIGHTS} and {wanted!r:.80} in the"
                " manifest; remedy: `ump renderer pack`, with the model it was trained on",
            )
