"""The memory file, UMP/1: what a robot learned, as numbers that belong to no model.

A safetensors container with `usv` F32 [16, 256] and `passport` F32 [1024] and the metadata of
the protocol, nothing else: no text, no tags. A file steers a language model, so it is untrusted
input: `MemoryFile.from_bytes` checks every rule of docs/protocol.md and names the one that is
broken. The id of a memory is the SHA-256 of its tensor bytes; it does not depend on who made the
file or when.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from universal_memory.memory.signing import Signer, signed_payload, verify

FORMAT_VERSION = "1"
USV_SHAPE = (16, 256)
PASSPORT_SHAPE = (1024,)
TENSOR_BYTES = 4 * (16 * 256 + 1024)
MAX_HEADER_BYTES = 2048
MAX_FILE_BYTES = 8 + MAX_HEADER_BYTES + TENSOR_BYTES
SLOT_NORM_BOUNDS = (8.0, 24.0)  # slots are LayerNorm'ed without affine: their norm is near 16
PASSPORT_NORM_TOLERANCE = 1e-3
MAX_COUNTER = 2**63 - 1

_SHAPES: dict[str, tuple[int, ...]] = {"usv": USV_SHAPE, "passport": PASSPORT_SHAPE}
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
    reason = "oversize"


class MalformedError(MemoryFileError):
    reason = "malformed"


class VersionError(MemoryFileError):
    reason = "version"


class SpaceError(MemoryFileError):
    reason = "space"


class MetadataError(MemoryFileError):
    reason = "metadata"


class TensorNameError(MemoryFileError):
    reason = "tensors"


class ShapeError(MemoryFileError):
    reason = "shape"


class DtypeError(MemoryFileError):
    reason = "dtype"


class NotFiniteError(MemoryFileError):
    reason = "not_finite"


class SlotNormError(MemoryFileError):
    reason = "slot_norm"


class PassportNormError(MemoryFileError):
    reason = "passport_norm"


class HashError(MemoryFileError):
    reason = "hash"


class SignatureError(MemoryFileError):
    reason = "signature"


@dataclass(frozen=True, eq=False)
class MemoryFile:
    """One valid memory. Build it with `create` or `from_bytes`, which check every rule.

    usv: float32 [16, 256]; passport: float32 [1024], unit norm; both read-only.
    counter: how many memories its maker had created before; id: 64 hex digits.
    key_id and signature (64 bytes) are "" and b"" when the file is not signed.
    """

    usv: NDArray[np.float32] = field(repr=False)
    passport: NDArray[np.float32] = field(repr=False)
    space_id: str
    counter: int
    id: str
    key_id: str = ""
    signature: bytes = field(default=b"", repr=False)

    @classmethod
    def create(
        cls,
        usv: ArrayLike,
        passport: ArrayLike,
        space_id: str,
        counter: int,
        signer: Signer | None = None,
        slot_norm_bounds: tuple[float, float] = SLOT_NORM_BOUNDS,
    ) -> MemoryFile:
        """A new memory from the encoder's and the passport encoder's outputs.

        Raises MemoryFileError for values no reader would accept.
        """
        tensors = {"usv": _frozen(usv), "passport": _frozen(passport)}
        _check_shapes(tensors)
        _check_values(tensors["usv"], tensors["passport"], slot_norm_bounds)
        _check_space_id(space_id, None)
        if not 0 <= counter <= MAX_COUNTER:
            raise MetadataError(f"counter {counter} is not in 0..{MAX_COUNTER}")
        digest = _digest(tensors["usv"], tensors["passport"])
        key_id, signature = "", b""
        if signer is not None:
            key_id = signer.key_id
            signature = signer.sign(signed_payload(FORMAT_VERSION, space_id, counter, digest))
        return cls(
            tensors["usv"], tensors["passport"], space_id, int(counter), digest, key_id, signature
        )

    @classmethod
    def from_bytes(
        cls,
        data: bytes,
        space_id: str | None = None,
        trusted: Mapping[str, bytes] | None = None,
        slot_norm_bounds: tuple[float, float] = SLOT_NORM_BOUNDS,
    ) -> MemoryFile:
        """Read and check a file; any bytes give a valid memory or a MemoryFileError.

        space_id: refuse files of another space. trusted (key id → raw Ed25519 public key):
        refuse files not signed by one of these keys; None accepts unsigned files and does not
        look at signatures.
        """
        header = _read_header(data)
        metadata = _read_metadata(header.pop("__metadata__", None))
        _check_space_id(metadata["space_id"], space_id)
        _check_declarations(header)
        try:
            tensors = load_tensors(bytes(data))
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise MalformedError(f"not a safetensors container: {error}") from error
        tensors = {name: _frozen(tensor) for name, tensor in tensors.items()}
        _check_shapes(tensors)
        usv, passport = tensors["usv"], tensors["passport"]
        _check_values(usv, passport, slot_norm_bounds)
        digest = _digest(usv, passport)
        if digest != metadata["sha256"]:
            raise HashError(
                f"tensors hash to {digest}, the file says {metadata['sha256']}; "
                "it was damaged or changed, fetch it again"
            )
        memory = cls(
            usv,
            passport,
            metadata["space_id"],
            int(metadata["counter"]),
            digest,
            metadata.get("key_id", ""),
            bytes.fromhex(metadata.get("signature", "")),
        )
        if trusted is not None:
            memory.check_signature(trusted)
        return memory

    def check_signature(self, trusted: Mapping[str, bytes]) -> None:
        """Raise SignatureError unless one of the `trusted` keys signed this memory."""
        if not self.signature:
            raise SignatureError("file is not signed; remedy: ask its maker for a signed one")
        public_key = trusted.get(self.key_id)
        if public_key is None:
            raise SignatureError(f"signed by {self.key_id}, which is not a trusted key")
        payload = signed_payload(FORMAT_VERSION, self.space_id, self.counter, self.id)
        if not verify(payload, self.signature, public_key):
            raise SignatureError(f"signature does not match key {self.key_id} and this content")

    def to_bytes(self) -> bytes:
        """The canonical bytes: same content, same bytes, on every machine.

        The last 20,480 bytes are the USV, then the passport: their SHA-256 is the id.
        """
        metadata = {
            "ump_version": FORMAT_VERSION,
            "space_id": self.space_id,
            "counter": str(self.counter),
            "sha256": self.id,
        }
        if self.signature:
            metadata |= {"key_id": self.key_id, "signature": self.signature.hex()}
        header: dict[str, Any] = {"__metadata__": metadata}
        offset = 0
        for name, shape in _SHAPES.items():
            end = offset + 4 * int(np.prod(shape))
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}
            offset = end
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode("ascii")
        text += b" " * (-len(text) % 8)  # safetensors aligns the data to 8 bytes
        return struct.pack("<Q", len(text)) + text + _tensor_bytes(self.usv, self.passport)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemoryFile) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.id)


def _frozen(values: ArrayLike) -> NDArray[np.float32]:
    array = np.array(values, dtype="<f4", order="C", copy=True)
    array.flags.writeable = False
    return array


def _tensor_bytes(usv: NDArray[np.float32], passport: NDArray[np.float32]) -> bytes:
    return usv.astype("<f4").tobytes() + passport.astype("<f4").tobytes()


def _digest(usv: NDArray[np.float32], passport: NDArray[np.float32]) -> str:
    return hashlib.sha256(_tensor_bytes(usv, passport)).hexdigest()


def _read_header(data: bytes) -> dict[str, Any]:
    """The JSON header, parsed only after its size is known to be small."""
    if len(data) > MAX_FILE_BYTES:
        raise OversizeError(f"{len(data)} bytes; a memory file has at most {MAX_FILE_BYTES}")
    if len(data) < 8:
        raise MalformedError(f"{len(data)} bytes: too short for a safetensors container")
    (size,) = struct.unpack("<Q", data[:8])
    if size > MAX_HEADER_BYTES:
        raise OversizeError(f"header of {size} bytes; at most {MAX_HEADER_BYTES} are allowed")
    if 8 + size > len(data):
        raise MalformedError(f"file ends within its header ({len(data)} of {8 + size} bytes)")
    try:
        header = json.loads(data[8 : 8 + size].decode("utf-8"), object_pairs_hook=_no_duplicates)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise MalformedError(f"header is a JSON {type(header).__name__}, not an object")
    present = len(data) - 8 - size
    if present != TENSOR_BYTES and set(header) - {"__metadata__"} == set(_SHAPES):
        raise MalformedError(f"{present} bytes of tensors; there must be {TENSOR_BYTES}")
    return header


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        raise ValueError("a key appears twice")
    return names


def _read_metadata(metadata: Any) -> dict[str, str]:
    """The protocol's metadata, each value in its one spelling."""
    if not isinstance(metadata, dict) or "ump_version" not in metadata:
        raise VersionError("no ump_version in the metadata: not a memory file")
    version = metadata["ump_version"]
    if version != FORMAT_VERSION:
        raise VersionError(
            f"format version {_shown(version)}; this reader knows {FORMAT_VERSION!r}; "
            "remedy: update universal_memory"
        )
    keys = set(metadata)
    if missing := _REQUIRED_KEYS - keys:
        raise MetadataError(f"metadata lacks {', '.join(sorted(missing))}")
    if extra := keys - _REQUIRED_KEYS - _SIGNATURE_KEYS:
        raise MetadataError(f"metadata has {_shown(sorted(extra))}, which the protocol has not")
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
        raise error(f"{name} is {_shown(value)}, not of the form {pattern.pattern}")


def _check_space_id(space_id: Any, expected: str | None) -> None:
    _check_spelling("space_id", space_id, _SPACE_ID, SpaceError)
    if expected is not None and space_id != expected:
        raise SpaceError(
            f"file is of space {space_id!r}, this robot uses {expected!r}; "
            "remedy: install the renderer of that space, or compile the experience again"
        )


def _check_declarations(header: dict[str, Any]) -> None:
    """Names and dtypes as the header declares them, before the library reads any tensor."""
    if set(header) != set(_SHAPES):
        raise TensorNameError(f"tensors {_shown(sorted(header))}; must be {sorted(_SHAPES)}")
    for name, entry in header.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise MalformedError(f"tensor {name} is declared as {_shown(entry)}")
        if entry["dtype"] != "F32":
            raise DtypeError(f"{name} has dtype {_shown(entry['dtype'])}; must be F32")
        if entry["shape"] != list(_SHAPES[name]):
            raise ShapeError(
                f"{name} has shape {_shown(entry['shape'])}; must be {list(_SHAPES[name])}"
            )


def _check_shapes(tensors: dict[str, NDArray[np.float32]]) -> None:
    for name, shape in _SHAPES.items():
        if tensors[name].shape != shape:
            raise ShapeError(f"{name} has shape {list(tensors[name].shape)}; must be {list(shape)}")


def _check_values(
    usv: NDArray[np.float32], passport: NDArray[np.float32], bounds: tuple[float, float]
) -> None:
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


def _shown(value: Any) -> str:
    """A foreign value for an error message: ASCII, escaped and short."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
