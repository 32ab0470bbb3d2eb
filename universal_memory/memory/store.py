"""The store: memory files by content, a ledger beside them, safe under crashes and full disks.

    ROOT/files/ab/abcdef....ump   the memories; the only thing that cannot be rebuilt
    ROOT/ledger.sqlite            where each came from
    ROOT/incoming/                files whose add was not finished; settled at the next opening
    ROOT/quarantine/              refused imports, each with its reason
    ROOT/locks/                   who uses the store

An add flushes the file to `incoming`, commits the ledger row, then renames: whoever is killed in
between leaves either nothing or a whole memory with its provenance.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from universal_memory.memory.bundle import SUFFIX, bundle_bytes, candidates
from universal_memory.memory.durable import sync_folder, write_atomic, write_file
from universal_memory.memory.errors import LedgerError, MemoryNotFound, StoreError, storage_error
from universal_memory.memory.file import (
    MAX_FILE_BYTES,
    SLOT_NORM_BOUNDS,
    HashError,
    MemoryFile,
    MemoryFileError,
)
from universal_memory.memory.ledger import Ledger, Provenance, Record, salvage
from universal_memory.memory.lock import StoreLock, writing

MAX_QUARANTINED = 256
_ID = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True)
class Problem:
    """Something wrong with one memory or one offered file, and why."""

    name: str
    reason: str


@dataclass
class ImportReport:
    """What an import did: ids that are new, ids that were there already, files refused."""

    added: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)


@dataclass
class VerifyReport:
    """How many memories were re-hashed, and what is wrong."""

    checked: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass
class ReindexReport:
    """Memories kept, ledger rows made without provenance, rows dropped, files quarantined."""

    kept: int = 0
    without_provenance: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    quarantined: list[Problem] = field(default_factory=list)
    damaged_ledger: Path | None = None


class MemoryStore:
    """Memories of one robot on disk. Thread-safe; other processes see changes at once.

    space_id and trusted (key id → raw public key) are enforced on whatever is added or read.
    A read-only store creates and changes nothing. Raises StoreError (LedgerError, StoreLocked,
    MemoryNotFound) with the remedy, and MemoryFileError for a file that breaks the protocol.
    """

    def __init__(
        self,
        root: Path | str,
        read_only: bool = False,
        space_id: str | None = None,
        trusted: Mapping[str, bytes] | None = None,
        slot_norm_bounds: tuple[float, float] = SLOT_NORM_BOUNDS,
    ) -> None:
        self.root = Path(root).expanduser()
        self.read_only = read_only
        self._space_id = space_id
        self._trusted = trusted
        self._slot_norm_bounds = slot_norm_bounds
        self._files = self.root / "files"
        self._incoming = self.root / "incoming"
        self._quarantine = self.root / "quarantine"
        self._ledger: Ledger | None = None
        self._ledger_lock = threading.Lock()
        if read_only:
            if not self._files.is_dir():
                raise StoreError(
                    f"no memory store at {self.root}; remedy: compile something first, or name "
                    "another store with --store or UMP_HOME"
                )
            return
        for folder in (self._files, self._incoming, self._quarantine, self.root / "locks"):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise storage_error(error, "create", folder) from error
        self._settle_incoming()

    @property
    def ledger(self) -> Ledger:
        """The ledger, opened at first use. Raises LedgerError if it is damaged."""
        with self._ledger_lock:
            if self._ledger is None:
                self._ledger = Ledger(self.root / "ledger.sqlite", self.read_only)
            return self._ledger

    def lock(self, role: str) -> StoreLock:
        """The lock of a role ("server", "compiler") on this store, not yet acquired."""
        return StoreLock(self.root, role)

    def path_of(self, memory_id: str) -> Path:
        """Where the file of a memory lies, whether it exists or not."""
        if not _ID.fullmatch(memory_id):
            raise MemoryNotFound(f"{memory_id!r} is not a memory id (64 hex digits)")
        return self._files / memory_id[:2] / f"{memory_id}{SUFFIX}"

    def add(self, file: MemoryFile, provenance: Provenance | None = None) -> str:
        """Keep a memory; durable once this returns. The same content again changes nothing.

        Returns its id. Raises MemoryFileError if it breaks the protocol or this store's rules.
        """
        data = file.to_bytes()
        self._parse(data)
        path = self.path_of(file.id)
        record = Record(
            file.id, file.counter, file.space_id, file.key_id, provenance or Provenance()
        )
        with self._writing():
            if self._is_sound(path):
                if self.ledger.get(file.id) is None:
                    self.ledger.insert(record)
                return file.id
            incoming = self._incoming / path.name
            try:
                if not path.parent.is_dir():
                    path.parent.mkdir()
                    sync_folder(self._files)
                write_file(incoming, data)
                sync_folder(self._incoming)
                self.ledger.insert(record)
                os.replace(incoming, path)
                sync_folder(path.parent)
            except OSError as error:
                incoming.unlink(missing_ok=True)
                if not path.exists():
                    self._drop_row(file.id)
                raise storage_error(error, "write", path) from error
            except LedgerError:
                incoming.unlink(missing_ok=True)
                raise
        return file.id

    def get(self, memory_id: str) -> MemoryFile:
        """Read and check a memory. Raises MemoryNotFound, MemoryFileError or StoreError."""
        path = self.path_of(memory_id)
        try:
            with path.open("rb") as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except FileNotFoundError as error:
            raise MemoryNotFound(f"memory {memory_id} is not in store {self.root}") from error
        except OSError as error:
            raise storage_error(error, "read", path) from error
        file = self._parse(data)
        if file.id != memory_id:
            raise HashError(f"{path} holds memory {file.id}; remedy: run `ump memory reindex`")
        return file

    def record(self, memory_id: str) -> Record | None:
        """The ledger row of a memory, None if it has none."""
        return self.ledger.get(memory_id)

    def records(self) -> list[Record]:
        """All ledger rows, oldest compiled first; empty if a read-only store has no ledger."""
        if self.read_only and not (self.root / "ledger.sqlite").exists():
            return []
        return self.ledger.records()

    def ids(self) -> list[str]:
        """Ids of all memories on disk, sorted."""
        found: list[str] = []
        try:
            for shard in os.scandir(self._files):
                if shard.is_dir():
                    found += [name[: -len(SUFFIX)] for name in os.listdir(shard.path)]
        except OSError as error:
            raise storage_error(error, "list", self._files) from error
        return sorted(name for name in found if _ID.fullmatch(name))

    def resolve(self, prefix: str) -> str:
        """The one id that starts with `prefix` (4 hex digits or more). Raises MemoryNotFound."""
        if not _PREFIX.fullmatch(prefix):
            raise MemoryNotFound(f"{prefix!r} is not the start of a memory id (4-64 hex digits)")
        folder = self._files / prefix[:2]
        names = os.listdir(folder) if folder.is_dir() else []
        matches = [n[: -len(SUFFIX)] for n in names if n.startswith(prefix) and n.endswith(SUFFIX)]
        if len(matches) != 1:
            found = f"{len(matches)} memories" if matches else "no memory"
            raise MemoryNotFound(f"{found} in {self.root} with an id that starts with {prefix}")
        return matches[0]

    def __contains__(self, memory_id: str) -> bool:
        return bool(_ID.fullmatch(memory_id)) and self.path_of(memory_id).exists()

    def __len__(self) -> int:
        return len(self.ids())

    def next_counter(self) -> int:
        """The creation counter for the next memory this robot makes."""
        return self.ledger.next_counter()

    def forget(self, memory_id: str) -> None:
        """Remove a memory and its ledger row, text included. Raises MemoryNotFound.

        The index drops it when it is next synchronised (`PassportIndex.synchronise`).
        """
        path = self.path_of(memory_id)
        with self._writing():
            known = self.ledger.get(memory_id) is not None
            if not path.exists() and not known:
                raise MemoryNotFound(f"memory {memory_id} is not in store {self.root}")
            try:
                path.unlink(missing_ok=True)
                if path.parent.is_dir():
                    sync_folder(path.parent)
            except OSError as error:
                raise storage_error(error, "remove", path) from error
            self.ledger.delete(memory_id)

    def verify(self) -> VerifyReport:
        """Re-read and re-hash every file and compare files with ledger; changes nothing."""
        report = VerifyReport()
        for memory_id in self.ids():
            report.checked += 1
            try:
                self.get(memory_id)
            except MemoryNotFound:
                continue  # forgotten by another process since it was listed
            except (MemoryFileError, StoreError) as error:
                report.problems.append(Problem(memory_id, str(error)))
        try:
            self.ledger.check()
            rows = self.ledger.ids()
        except LedgerError as error:
            report.problems.append(Problem("ledger", str(error)))
            return report
        on_disk = set(self.ids())
        report.problems += [
            Problem(memory_id, "has no ledger row; remedy: run `ump memory reindex`")
            for memory_id in sorted(on_disk - rows)
        ]
        report.problems += [
            Problem(memory_id, "is in the ledger but its file is gone; remedy: import it again")
            for memory_id in sorted(rows - on_disk)
        ]
        return report

    def import_path(self, path: Path | str, source: str = "") -> ImportReport:
        """Take in a memory file, a folder of them or a .tar bundle.

        Files that are refused are copied to the quarantine folder with the reason.
        """
        report = ImportReport()
        provenance = Provenance(source=source or str(path), imported=True)
        for candidate in candidates(Path(path).expanduser()):
            if candidate.refusal:
                report.refused.append(Problem(candidate.name, candidate.refusal))
                continue
            try:
                file = self._parse(candidate.data)
            except MemoryFileError as error:
                problem = Problem(candidate.name, f"{error.reason}: {error}")
                report.refused.append(problem)
                self._put_in_quarantine(candidate.data, problem)
                continue
            (report.present if file.id in self else report.added).append(file.id)
            self.add(file, provenance)
        return report

    def export(self, memory_ids: Sequence[str], destination: Path | str) -> list[Path]:
        """Copy memories out: to a .tar bundle, one .ump file, or a folder (made if missing).

        Returns the paths written. Provenance stays here.
        """
        target = Path(destination).expanduser()
        if not memory_ids:
            raise StoreError("nothing to export; remedy: name at least one memory id")
        files = [self.get(memory_id) for memory_id in dict.fromkeys(memory_ids)]
        try:
            if target.suffix == ".tar":
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(target, bundle_bytes(files))
                return [target]
            if target.suffix == SUFFIX and not target.is_dir():
                if len(files) > 1:
                    raise StoreError(
                        f"{len(files)} memories do not fit in one file {target}; "
                        "remedy: export to a folder or a .tar bundle"
                    )
                target.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(target, files[0].to_bytes())
                return [target]
            target.mkdir(parents=True, exist_ok=True)
            for file in files:
                write_atomic(target / f"{file.id}{SUFFIX}", file.to_bytes())
            return [target / f"{file.id}{SUFFIX}" for file in files]
        except OSError as error:
            raise storage_error(error, "export to", target) from error

    def reindex(self) -> ReindexReport:
        """Rebuild the ledger from the files, keeping every provenance that can still be read.

        Unsound files go to quarantine. Raises StoreLocked while a compiler or server runs.
        """
        report = ReindexReport()
        with self.lock("compiler"), self.lock("server"), self._writing():
            known = self._healthy_ledger(report)
            for memory_id in self.ids():
                try:
                    file = self.get(memory_id)
                except MemoryFileError as error:
                    self._quarantine_stored(memory_id, error, report)
                    continue
                report.kept += 1
                row = known.pop(memory_id, None)
                if row is None:
                    row = Record(file.id, file.counter, file.space_id, file.key_id)
                    report.without_provenance.append(memory_id)
                if self.ledger.get(memory_id) != row:
                    self.ledger.insert(row)
            for memory_id in sorted(known):
                self.ledger.delete(memory_id)
                report.dropped.append(memory_id)
        return report

    def close(self) -> None:
        """Close the ledger; it opens again if it is needed."""
        with self._ledger_lock:
            if self._ledger is not None:
                self._ledger.close()
                self._ledger = None

    def __enter__(self) -> MemoryStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _parse(self, data: bytes) -> MemoryFile:
        return MemoryFile.from_bytes(data, self._space_id, self._trusted, self._slot_norm_bounds)

    def _writing(self) -> AbstractContextManager[None]:
        if self.read_only:
            raise StoreError(f"store {self.root} was opened read-only; remedy: open it writable")
        return writing(self.root)

    def _is_sound(self, path: Path) -> bool:
        try:
            self.get(path.stem)
        except (MemoryNotFound, MemoryFileError):
            return False
        return True

    def _drop_row(self, memory_id: str) -> None:
        try:
            self.ledger.delete(memory_id)
        except LedgerError:
            pass  # the disk failed; the row is settled by `reindex`, the first error is reported

    def _settle_incoming(self) -> None:
        """Finish adds whose row was committed, undo the others (their writer was killed)."""
        with self._writing():
            for incoming in self._incoming.iterdir():
                try:
                    file = self._parse(incoming.read_bytes())
                    committed = self.ledger.get(file.id) is not None
                except (MemoryFileError, OSError):
                    committed = False
                except LedgerError:
                    continue  # `reindex` decides
                try:
                    if committed:
                        path = self.path_of(file.id)
                        path.parent.mkdir(exist_ok=True)
                        os.replace(incoming, path)
                        sync_folder(path.parent)
                    else:
                        incoming.unlink(missing_ok=True)
                except OSError as error:
                    raise storage_error(error, "settle", incoming) from error

    def _put_in_quarantine(self, data: bytes, problem: Problem) -> None:
        """Keep the evidence, bounded in size and number; failing to is not an error."""
        try:
            if (
                len(data) > MAX_FILE_BYTES
                or len(os.listdir(self._quarantine)) >= 2 * MAX_QUARANTINED
            ):
                return
            name = hashlib.sha256(data).hexdigest()[:32]
            note = json.dumps({"name": problem.name, "reason": problem.reason}, indent=1)
            write_atomic(self._quarantine / f"{name}{SUFFIX}", data)
            write_atomic(
                self._quarantine / f"{name}.json", note.encode("utf-8", "backslashreplace")
            )
        except OSError:
            pass

    def _quarantine_stored(
        self, memory_id: str, error: MemoryFileError, report: ReindexReport
    ) -> None:
        problem = Problem(memory_id, f"{error.reason}: {error}")
        report.quarantined.append(problem)
        path = self.path_of(memory_id)
        try:
            os.replace(path, self._quarantine / path.name)
            note = json.dumps({"name": memory_id, "reason": problem.reason}, indent=1)
            write_atomic(self._quarantine / f"{memory_id}.json", note.encode())
        except OSError as failure:
            raise storage_error(failure, "quarantine", path) from failure

    def _healthy_ledger(self, report: ReindexReport) -> dict[str, Record]:
        """Rows of the ledger; a damaged one is put aside and what is readable of it is saved."""
        path = self.root / "ledger.sqlite"
        try:
            self.ledger.check()
            return {record.id: record for record in self.ledger.records()}
        except LedgerError:
            self.close()
        saved = salvage(path)
        aside = path.with_name("ledger.sqlite.damaged")
        number = 1
        while aside.exists():
            number += 1
            aside = path.with_name(f"ledger.sqlite.damaged-{number}")
        try:
            os.replace(path, aside)
            for suffix in ("-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            raise storage_error(error, "put aside", path) from error
        report.damaged_ledger = aside
        return {record.id: record for record in saved}
