"""Encryption at rest: the key of a store, and how bytes are sealed with it.

AES-256-GCM with a random nonce of 12 bytes for everything that is sealed:

    UMPSEAL1 | nonce (12) | ciphertext | tag (16)

A context, which is authenticated but not kept, ties a sealed row to its place. Keys of their own,
derived by HKDF-SHA-256, serve sealing, masking and naming the key. One key seals at most 2^32
things (NIST SP 800-38D): an event a second for 136 years, or ten a second for 13.
"""

from __future__ import annotations

import base64
import binascii
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import ciphers, hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from universal_memory.resources import KEY_VARIABLE

KEY_BYTES = 32
MAGIC = b"UMPSEAL1"
OVERHEAD = len(MAGIC) + 12 + 16  # bytes that sealing adds
MASKED_BYTES = 16
NAME_THE_KEY = (
    f"remedy: name its key file with {KEY_VARIABLE}, `ump --store-key FILE` or the nodes' parameter"
    " store_key"
)
NOT_ENCRYPTED = (
    "is not encrypted, and a key was given; remedy: leave the key out, or encrypt the store with"
    " `ump memory encrypt`"
)

SealedValue = str | bytes | None


class StoreKeyError(ValueError):
    """A key file is no key, or a store is not encrypted with the key that was given."""


class SealError(ValueError):
    """Sealed bytes do not open: damaged, changed, moved, or sealed with another key."""


class Cipher:
    """Seals and opens with one key of 32 bytes. Thread-safe.

    key_id: 16 hex digits that name the key and tell nothing of it; key_number: the same as a
    positive integer of 63 bits.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise StoreKeyError(f"a key has {KEY_BYTES} bytes, this one {len(key)}")
        self._key = key
        self._aead = AESGCM(_derived(key, b"seal"))
        self._block = ciphers.Cipher(AES(_derived(key, b"mask")), ECB())
        self.key_number = int.from_bytes(_derived(key, b"name")[:8], "big") >> 1 | 1
        self.key_id = f"{self.key_number:016x}"

    @classmethod
    def generate(cls) -> Cipher:
        """A cipher with a new random key."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def load(cls, path: Path) -> Cipher:
        """The cipher of a key file: 32 bytes in base64, one line. Raises StoreKeyError."""
        try:
            with path.open("rb") as stream:
                text = stream.read(1024)
        except OSError as error:
            raise StoreKeyError(
                f"cannot read store key {path}: {error.strerror or error}; remedy: name the key"
                " file of the store, or make one with `ump key make FILE --encryption`"
            ) from error
        try:
            return cls(base64.b64decode(text.strip(), validate=True))
        except (binascii.Error, StoreKeyError) as error:
            raise StoreKeyError(
                f"{path} is no store key ({error}); remedy: name a file that `ump key make FILE"
                f" --encryption` wrote: {KEY_BYTES} bytes in base64"
            ) from error

    def save(self, path: Path) -> None:
        """Write the key to `path`, mode 0600. Raises OSError; a file that exists is kept."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(base64.b64encode(self._key) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def seal(self, data: bytes, context: str = "") -> bytes:
        """`data` encrypted; `OVERHEAD` bytes longer, and never twice the same."""
        nonce = os.urandom(12)
        return MAGIC + nonce + self._aead.encrypt(nonce, data, context.encode())

    def open(self, sealed: bytes, context: str = "") -> bytes:
        """What was sealed, under the same context. Raises SealError."""
        if not sealed.startswith(MAGIC) or len(sealed) < OVERHEAD:
            raise SealError(f"{len(sealed)} bytes are not sealed")
        nonce, rest = sealed[len(MAGIC) :][:12], sealed[len(MAGIC) + 12 :]
        try:
            return self._aead.decrypt(nonce, rest, context.encode())
        except InvalidTag:
            raise SealError(
                "the seal does not open: damaged, changed, or of another key"
            ) from None

    def seal_values(self, values: Sequence[SealedValue], context: str) -> bytes:
        """Values of a database row as one sealed blob."""
        return self.seal(b"".join(map(_packed, values)), context)

    def open_values(self, sealed: bytes, context: str) -> list[SealedValue]:
        """The values of `seal_values`. Raises SealError."""
        return list(_unpacked(self.open(sealed, context)))

    def mask(self, digest: bytes) -> bytes:
        """16 bytes for the 16 bytes of a hash: equal ones stay equal, no guess can be tested.

        Text is short, so whoever has its plain hash finds it by trying.
        """
        encryptor = self._block.encryptor()
        return encryptor.update(digest) + encryptor.finalize()

    def unmask(self, masked: bytes) -> bytes:
        """The hash that was masked."""
        decryptor = self._block.decryptor()
        return decryptor.update(masked) + decryptor.finalize()


def store_cipher(path: str | Path = "") -> Cipher | None:
    """The cipher of the key file at `path`, else at $UMP_STORE_KEY; None where neither is named.

    Raises StoreKeyError for a file that is missing or no key.
    """
    named = str(path) or os.environ.get(KEY_VARIABLE, "")
    return Cipher.load(Path(named).expanduser()) if named else None


def is_sealed(data: bytes) -> bool:
    """Whether bytes are sealed, by whatever key."""
    return data.startswith(MAGIC)


def database_key(database: sqlite3.Connection) -> int:
    """`key_number` of the key whose rows a ledger or buffer holds, 0 if they are plain."""
    row = database.execute("SELECT value FROM counters WHERE name = 'key'").fetchone()
    return int(row[0]) if row else 0


def key_statement(cipher: Cipher | None) -> str:
    """SQL that writes down whose rows a ledger or buffer holds, for the transaction of its rows."""
    if cipher is None:
        return "DELETE FROM counters WHERE name = 'key'"
    return f"INSERT OR REPLACE INTO counters VALUES ('key', {cipher.key_number})"  # noqa: S608


def check_database_key(database: sqlite3.Connection, cipher: Cipher | None, path: Path) -> None:
    """Raise StoreKeyError unless the rows of a ledger or buffer are of this key."""
    held = database_key(database)
    if held and cipher is None:
        raise StoreKeyError(f"{path} is encrypted; {NAME_THE_KEY}")
    if cipher is not None and not held:
        raise StoreKeyError(f"{path} {NOT_ENCRYPTED}")
    if cipher is not None and held != cipher.key_number:
        raise StoreKeyError(
            f"{path} is encrypted with key {held:016x}, not with {cipher.key_id}; {NAME_THE_KEY}"
        )


def _derived(key: bytes, purpose: bytes) -> bytes:
    """A key of its own for a purpose: 32 bytes."""
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"UMP store " + purpose).derive(key)


def _packed(value: SealedValue) -> bytes:
    kind = b"n" if value is None else b"s" if isinstance(value, str) else b"b"
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value or b""
    return kind + len(data).to_bytes(4, "big") + data


def _unpacked(data: bytes) -> Iterator[SealedValue]:
    while data:
        kind, size = data[:1], int.from_bytes(data[1:5], "big")
        value, data = data[5 : 5 + size], data[5 + size :]
        if kind == b"n":
            yield None
        else:
            yield value.decode("utf-8", "surrogatepass") if kind == b"s" else value
