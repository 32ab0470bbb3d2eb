"""The trust store: a folder of public keys, whose owners' memories a robot takes in.

One PEM file a key, `<name>.pub`; the name is only a label. A robot's own folder is `trusted_keys`
in its store. Keys are looked up when a signature is checked, so a running robot knows at once whom
to trust.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from universal_memory.memory.durable import write_atomic
from universal_memory.memory.errors import storage_error
from universal_memory.memory.signing import KeyFileError, key_id_of, load_public_key

FOLDER = "trusted_keys"
SUFFIX = ".pub"


@dataclass(frozen=True)
class TrustedKey:
    """A key of a trust store: its label, its id (32 hex digits) and the raw public key."""

    name: str
    key_id: str
    public_key: bytes


class TrustStore(Mapping[str, bytes]):
    """Key id → raw Ed25519 public key, of a folder that may be empty or missing: trust nobody.

    Reading raises KeyFileError for a `*.pub` file that is no Ed25519 public key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser()
        self._state: list[tuple[str, int]] = []
        self._entries: list[TrustedKey] = []

    @classmethod
    def of(cls, root: Path, folder: str | Path | None = None) -> TrustStore:
        """The trust store in `folder`, else the one of the memory store at `root`.

        Raises KeyFileError if a folder is named that is not there.
        """
        if not folder:
            return cls(root / FOLDER)
        named = cls(Path(folder))
        if not named.folder.is_dir():
            raise KeyFileError(
                f"no folder of trusted keys at {named.folder}; remedy: add the makers' keys with "
                f"`ump key add KEY.pub --trusted {named.folder}`"
            )
        return named

    def entries(self) -> list[TrustedKey]:
        """All keys, by label."""
        try:
            paths = sorted(self.folder.glob(f"*{SUFFIX}"))
            state = [(path.name, path.stat().st_mtime_ns) for path in paths]
        except OSError as error:
            raise storage_error(error, "read", self.folder) from error
        if state != self._state:
            raws = [(path.stem, load_public_key(path)) for path in paths]
            self._entries = [TrustedKey(name, key_id_of(raw), raw) for name, raw in raws]
            self._state = state
        return self._entries

    def add(self, path: Path, name: str = "") -> TrustedKey:
        """Trust the key in `path`, under the label `name` or that of the file.

        A key that is there already stays as it is. Raises KeyFileError, also if another key has
        that label, and StoreError.
        """
        raw = load_public_key(path)
        key = TrustedKey(name or path.stem, key_id_of(raw), raw)
        if Path(key.name).name != key.name:
            raise KeyFileError(f"{key.name!r} is no label; remedy: name the key without a slash")
        for known in self.entries():
            if known.key_id == key.key_id:
                return known
            if known.name == key.name:
                raise KeyFileError(
                    f"{key.name} is the label of key {known.key_id} already; remedy: give key "
                    f"{key.key_id} another with --name, or remove that one"
                )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_atomic(self.folder / f"{key.name}{SUFFIX}", path.read_bytes())
        except OSError as error:
            raise storage_error(error, "add a key to", self.folder) from error
        return key

    def remove(self, named: str) -> TrustedKey:
        """Trust the key of this label, or whose id starts so, no longer. Raises KeyFileError."""
        entries = self.entries()
        found = [key for key in entries if key.name == named] or [
            key for key in entries if named and key.key_id.startswith(named)
        ]
        if len(found) != 1:
            raise KeyFileError(
                f"{len(found)} keys in {self.folder} have the label {named!r} or an id that starts "
                "so; remedy: `ump key list` shows both"
            )
        try:
            (self.folder / f"{found[0].name}{SUFFIX}").unlink()
        except OSError as error:
            raise storage_error(error, "remove a key from", self.folder) from error
        return found[0]

    def __getitem__(self, key_id: str) -> bytes:
        for key in self.entries():
            if key.key_id == key_id:
                return key.public_key
        raise KeyError(key_id)

    def __iter__(self) -> Iterator[str]:
        return iter({key.key_id for key in self.entries()})

    def __len__(self) -> int:
        return len({key.key_id for key in self.entries()})
