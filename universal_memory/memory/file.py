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
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from universal_memory.memory.format import (
    FORMAT_VERSION,
    MAX_COUNTER,
    MAX_FILE_BYTES,
    PASSPORT_SHAPE,
    SHAPES,
    SLOT_NORM_BOUNDS,
    USV_SHAPE,
    DtypeError,
    HashError,
    MalformedError,
    MemoryFileError,
    MetadataError,
    NotFiniteError,
    OversizeError,
    PassportNormError,
    ShapeError,
    SignatureError,
    SlotNormError,
    SpaceError,
    TensorNameError,
    VersionError,
    check_declarations,
    check_shapes,
    check_space_id,
    check_values,
    read_header,
    read_metadata,
)
from universal_memory.memory.signing import Signer, signed_payload, verify

__all__ = [
    "FORMAT_VERSION",
    "MAX_FILE_BYTES",
    "PASSPORT_SHAPE",
    "SLOT_NORM_BOUNDS",
    "USV_SHAPE",
    "DtypeError",
    "HashError",
    "MalformedError",
    "MemoryFile",
    "MemoryFileError",
    "MetadataError",
    "NotFiniteError",
    "OversizeError",
    "PassportNormError",
    "ShapeError",
    "SignatureError",
    "SlotNormError",
    "SpaceError",
    "TensorNameError",
    "VersionError",
]


@dataclass(frozen=True, eq=False)
class MemoryFile:
    """One valid memory. Build it with `create` or `from_bytes`, which check every rule.

    usv: float32 [16, 256]; passport: float32 [1024], unit norm; both read-only.
    counter: which one of its maker's memories this is, from 1; id: 64 hex digits.
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
        check_shapes(tensors)
        check_values(tensors["usv"], tensors["passport"], slot_norm_bounds)
        check_space_id(space_id, None)
        if not 0 <= counter <= MAX_COUNTER:
            raise MetadataError(f"counter {counter} is not in 0..{MAX_COUNTER}")
        digest = _digest(tensors["usv"], tensors["passport"])
        memory = cls(tensors["usv"], tensors["passport"], space_id, int(counter), digest)
        return memory if signer is None else memory.signed(signer)

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
        header = read_header(data)
        metadata = read_metadata(header.pop("__metadata__", None))
        check_space_id(metadata["space_id"], space_id)
        check_declarations(header)
        try:
            tensors = load_tensors(bytes(data))
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise MalformedError(
                f"{len(data)} bytes are not a whole safetensors container: {error}"
            ) from error
        tensors = {name: _frozen(tensor) for name, tensor in tensors.items()}
        check_shapes(tensors)
        usv, passport = tensors["usv"], tensors["passport"]
        digest = _digest(usv, passport)
        if digest != metadata["sha256"]:
            raise HashError(
                f"tensors hash to {digest}, the file says {metadata['sha256']}; "
                "it was damaged or changed, fetch it again"
            )
        check_values(usv, passport, slot_norm_bounds)
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

    def signed(self, signer: Signer) -> MemoryFile:
        """The same memory, signed by `signer` in place of whoever signed it."""
        signature = signer.sign(self._payload())
        return replace(self, key_id=signer.key_id, signature=signature)

    def check_signature(self, trusted: Mapping[str, bytes]) -> None:
        """Raise SignatureError unless one of the `trusted` keys signed this memory."""
        if not self.signature:
            raise SignatureError("file is not signed; remedy: ask its maker for a signed one")
        public_key = trusted.get(self.key_id)
        if public_key is None:
            raise SignatureError(
                f"signed by {self.key_id}, which is not a trusted key; remedy: if you trust its "
                "maker, add the maker's public key with `ump key add`"
            )
        if not verify(self._payload(), self.signature, public_key):
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
        for name, shape in SHAPES.items():
            end = offset + 4 * int(np.prod(shape))
            header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}
            offset = end
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=True).encode("ascii")
        text += b" " * (-len(text) % 8)  # safetensors aligns the data to 8 bytes
        return struct.pack("<Q", len(text)) + text + _tensor_bytes(self.usv, self.passport)

    def _payload(self) -> bytes:
        return signed_payload(FORMAT_VERSION, self.space_id, self.counter, self.id)

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
