"""Who made a memory file: Ed25519 signatures (RFC 8032) and the keys a site trusts.

A signature proves the maker of a file, not that what it says is true. Keys are PEM files:
PKCS#8 for the private key of a robot, SubjectPublicKeyInfo (`*.pub`) for keys that are trusted.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

MAX_KEY_BYTES = 4096


class KeyFileError(ValueError):
    """A key file is unreadable or holds another kind of key."""


def signed_payload(version: str, space_id: str, counter: int, digest: str) -> bytes:
    """The bytes a signature covers: every field of a memory file but the signature itself.

    The first line separates this use of a key from any other. No field can hold a newline.
    """
    return f"UMP memory file\n{version}\n{space_id}\n{counter}\n{digest}\n".encode("ascii")


def key_id_of(public_key: bytes) -> str:
    """Short name of a raw 32-byte public key: the first 32 hex digits of its SHA-256."""
    return hashlib.sha256(public_key).hexdigest()[:32]


def verify(payload: bytes, signature: bytes, public_key: bytes) -> bool:
    """Whether `signature` (64 bytes) over `payload` was made by the owner of `public_key` (32)."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, payload)
    except (InvalidSignature, ValueError):
        return False
    return True


class Signer:
    """A private key that signs memory files."""

    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key
        self.public_key: bytes = private_key.public_key().public_bytes_raw()
        self.key_id: str = key_id_of(self.public_key)

    @classmethod
    def generate(cls) -> Signer:
        """A signer with a new random key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Signer:
        """The signer of an unencrypted PKCS#8 PEM file. Raises KeyFileError."""
        try:
            key = load_pem_private_key(_read_key(path), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFileError(f"{path} is not an unencrypted PEM private key: {error}") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"{path} holds {type(key).__name__}; remedy: give an Ed25519 key")
        return cls(key)

    def sign(self, payload: bytes) -> bytes:
        """64-byte signature of `payload`."""
        return self._private_key.sign(payload)

    def save(self, path: Path) -> None:
        """Write the private key to `path` (mode 0600, must not exist) and `path`.pub beside it."""
        private = self._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(private)
        public = self._private_key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )
        path.with_name(path.name + ".pub").write_bytes(public)


def load_public_key(path: Path) -> bytes:
    """The raw 32 bytes of a `*.pub` file. Raises KeyFileError if it is no Ed25519 public key."""
    data = _read_key(path)
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path} is not a PEM public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path} holds {type(key).__name__}; remedy: give an Ed25519 key")
    return key.public_bytes_raw()


def load_trusted(folder: Path) -> dict[str, bytes]:
    """Trusted keys of a folder of `*.pub` files: key id → raw public key.

    Raises KeyFileError for a file that is no Ed25519 public key, and if there is none at all:
    an empty set of trusted keys refuses every file, which nobody asks for on purpose.
    """
    trusted: dict[str, bytes] = {}
    for path in sorted(folder.glob("*.pub")):
        raw = load_public_key(path)
        trusted[key_id_of(raw)] = raw
    if not trusted:
        raise KeyFileError(f"no *.pub key in {folder}; remedy: copy the makers' public keys there")
    return trusted


def _read_key(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_KEY_BYTES + 1)
    except OSError as error:
        raise KeyFileError(f"cannot read key {path}: {error.strerror or error}") from error
    if len(data) > MAX_KEY_BYTES:
        raise KeyFileError(f"{path} is larger than {MAX_KEY_BYTES} bytes: not a key file")
    return data
