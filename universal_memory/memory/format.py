"""The rules of UMP/1 (docs/protocol.md), one check each, in the order a reader applies them.

Sizes are checked before anything is parsed, the header before any tensor is read. Every check
raises the MemoryFileError of its rule, with the value that broke it.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT_VERSION = "1"
USV_SHAPE = (16, 256)
PASSPORT_SHAPE = (1024,)
TENSOR_BYTES = 4 * (16 * 256 + 1024)  # the library checks that no byte is missing or left over
MAX_HEADER_BYTES = 2048
MAX_FILE_BYTES = 8 + MAX_HEADER_BYTES + TENSOR_BYTES
SLOT_NORM_BOUNDS = (8.0, 24.0)  # slots are LayerNorm'ed without affine: their norm is near 16
PASSPORT_NORM_TOLERANCE = 1e-3
MAX_COUNTER = 2**63 - 1

SHAPES: dict[str, tuple[int, ...]] = {"usv": USV_SHAPE, "passport": PASSPORT_SHAPE}
_REQUIRED_KEYS = frozenset({"ump_version", "space_id", "counter", "sha256"})
_SIGNATURE_KEYS = frozenset({"key_id", "signature"})
_SPACE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+/-]{0,63}")
_COUNTER = re.compile(r"0|[1-9][0-9]{0,18}")
_MEMORY_ID = re.compile(r"[0-9a-f]{64}")
_KEY_ID = re.compile(r"[0-9a-f]{32}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")


class MemoryFileError(ValueError):
    """Bytes that are not an acceptable memory file; `reason` names the broken rule."""

    reason = "malformed"


class OversizeError(MemoryFileError):
    """More bytes, or a longer header, than a memory file can have."""

    reason = "oversize"


class MalformedError(MemoryFileError):
    """Not a whole safetensors container."""

    reason = "malformed"


class VersionError(MemoryFileError):
    """No memory file, or one of a format version this reader does not know."""

    reason = "version"


class SpaceError(MemoryFileError):
    """Made in another semantic space, or its space id is misspelt."""

    reason = "space"


class MetadataError(MemoryFileError):
    """Metadata lacks a key, has one too many, or a value is misspelt."""

    reason = "metadata"


class TensorNameError(MemoryFileError):
    """Tensors other than `usv` and `passport`."""

    reason = "tensors"


class ShapeError(MemoryFileError):
    """A tensor of another shape."""

    reason = "shape"


class DtypeError(MemoryFileError):
    """A tensor that is not F32."""

    reason = "dtype"


class NotFiniteError(MemoryFileError):
    """NaN or infinity in a tensor."""

    reason = "not_finite"


class SlotNormError(MemoryFileError):
    """A slot outside the bounds of the space: it would steer a model too hard, or not at all."""

    reason = "slot_norm"


class PassportNormError(MemoryFileError):
    """A passport that is not of unit norm: it would be found too often or never."""

    reason = "passport_norm"


class HashError(MemoryFileError):
    """The tensors are not those the file was made with."""

    reason = "hash"


class SignatureError(MemoryFileError):
    """Not signed by a trusted key."""

    reason = "signature"


def read_header(data: bytes) -> dict[str, Any]:
    """The JSON header, parsed only after its size is known to be small."""
    if len(data) > MAX_FILE_BYTES:
        raise OversizeError(f"more than {MAX_FILE_BYTES} bytes, the most a memory file has")
    if len(data) < 8:
        raise MalformedError(f"{len(data)} bytes: too short for a safetensors container")
    (size,) = struct.unpack("<Q", data[:8])
    if size > MAX_HEADER_BYTES:
        raise OversizeError(f"header of {size} bytes; at most {MAX_HEADER_BYTES} are allowed")
    if 8 + size > len(data):
        raise MalformedError(f"file ends within its header ({len(data)} of {8 + size} bytes)")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"), object_pairs_hook=no_duplicates)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise MalformedError(f"header is a JSON {type(header).__name__}, not an object")
    return header


def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For `json.loads(object_pairs_hook=...)`: a JSON object in which no key appears twice."""
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a key appears twice")
    return names


def read_metadata(metadata: Any) -> dict[str, str]:
    """The protocol's metadata, each value in its one spelling."""
    if not isinstance(metadata, dict) or "ump_version" not in metadata:
        raise VersionError("no ump_version in the metadata: not a memory file")
    version = metadata["ump_version"]
    if version != FORMAT_VERSION:
        raise VersionError(
            f"format version {shown(version)}; this reader knows {FORMAT_VERSION!r}; "
            "remedy: update universal_memory"
        )
    keys = set(metadata)
    if missing := _REQUIRED_KEYS - keys:
        raise MetadataError(f"metadata lacks {', '.join(sorted(missing))}")
    if extra := keys - _REQUIRED_KEYS - _SIGNATURE_KEYS:
        raise MetadataError(f"metadata has {shown(sorted(extra))}, which the protocol has not")
    if len(keys & _SIGNATURE_KEYS) == 1:
        raise SignatureError("signature and key_id must come together")
    patterns = {"counter": _COUNTER, "sha256": _MEMORY_ID}
    for name, pattern in patterns.items():
        _check_spelling(name, metadata[name], pattern, MetadataError)
    if int(metadata["counter"]) > MAX_COUNTER:
        raise MetadataError(f"counter {metadata['counter']} is larger than {MAX_COUNTER}")
    if "signature" in keys:
        _check_spelling("key_id", metadata["key_id"], _KEY_ID, SignatureError)
        _check_spelling("signature", metadata["signature"], _SIGNATURE, SignatureError)
    return metadata


def _check_spelling(
    name: str, value: Any, pattern: re.Pattern[str], error: type[MemoryFileError]
) -> None:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise error(f"{name} is {shown(value)}, not of the form {pattern.pattern}")


def check_space_id(space_id: Any, expected: str | None) -> None:
    """The spelling of a space id, and that it is the expected one unless that is None."""
    _check_spelling("space_id", space_id, _SPACE_ID, SpaceError)
    if expected is not None and space_id != expected:
        raise SpaceError(
            f"file is of space {space_id!r}, this robot uses {expected!r}; "
            "remedy: install the renderer of that space, or compile the experience again"
        )


def check_declarations(header: dict[str, Any]) -> None:
    """Names and dtypes as the header declares them, before the library reads any tensor."""
    if set(header) != set(SHAPES):
        raise TensorNameError(f"tensors {shown(sorted(header))}; must be {sorted(SHAPES)}")
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise MalformedError(f"tensor {name} is declared as {shown(entry)}")
        if entry["dtype"] != "F32":
            raise DtypeError(f"{name} has dtype {shown(entry['dtype'])}; must be F32")
        if entry["shape"] != list(SHAPES[name]):
            raise ShapeError(
                f"{name} has shape {shown(entry['shape'])}; must be {list(SHAPES[name])}"
            )


def check_shapes(tensors: dict[str, NDArray[np.float32]]) -> None:
    """The shapes of the tensors themselves."""
    for name, shape in SHAPES.items():
        if tensors[name].shape != shape:
            raise ShapeError(f"{name} has shape {list(tensors[name].shape)}; must be {list(shape)}")


def check_values(
    usv: NDArray[np.float32], passport: NDArray[np.float32], bounds: tuple[float, float]
) -> None:
    """Finite numbers, slot norms within `bounds` (lowest, highest), passport of unit norm."""
    for name, tensor in (("usv", usv), ("passport", passport)):
        if not np.isfinite(tensor).all():
            raise NotFiniteError(f"{name} holds NaN or infinity")
    # float64, so that huge but finite values cannot overflow into a passing norm
    norms = np.linalg.norm(usv.astype(np.float64), axis=1)
    low, high = bounds
    outside = np.flatnonzero((norms < low) | (norms > high))
    if outside.size:
        slot = int(outside[0])
        raise SlotNormError(f"slot {slot} has norm {norms[slot]:.6g}; must be in {low:g}..{high:g}")
    length = float(np.linalg.norm(passport.astype(np.float64)))
    if abs(length - 1.0) > PASSPORT_NORM_TOLERANCE:
        raise PassportNormError(
            f"passport has norm {length:.6g}; must be 1 within {PASSPORT_NORM_TOLERANCE:g}"
        )


def shown(value: Any) -> str:
    """A foreign value for an error message: ASCII, escaped and short."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
