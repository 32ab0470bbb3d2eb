"""The store: memory files by content, a ledger beside them, safe under crashes and full disks.

    ROOT/files, incoming, quarantine   see `shelf`
    ROOT/ledger.sqlite                 where each memory came from
    ROOT/encryption.json               of an encrypted store: see `protection`
    ROOT/locks                         who uses the store

An add flushes the file to `incoming`, commits the ledger row, then renames: whoever is killed in
between leaves either nothing or a whole memory with its provenance.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from universal_memory.encryption import Cipher
from universal_memory.memory.bundle import candidates, write_files
from universal_memory.memory.errors import LedgerError, MemoryNotFound, StoreError, storage_error
from universal_memory.memory.file import SLOT_NORM_BOUNDS, MemoryFile, MemoryFileError
from universal_memory.memory.ledger import Ledger, Provenance, Record, put_aside, salvage
from universal_memory.memory.lock import StoreLock, writing
from universal_memory.memory.mark import Marks, salvage_marks
from universal_memory.memory.merged import MergedMemories
from universal_memory.memory.protection import check_protection, protect_new
from universal_memory.memory.reports import (
    ImportReport,
    Problem,
    Quarantined,
    ReindexReport,
    VerifyReport,
)
from universal_memory.memory.shelf import SUFFIX, Shelf
from universal_memory.memory.signing import Signer
from universal_memory.memory.window import Window


class MemoryStore:
    """Memories of one robot on disk. Thread-safe; other processes see changes at once.

    space_id is enforced on whatever is added or read; trusted (key id → raw public key) on whatever
    the ledger does not call this robot's own: others must have signed it with one of these keys.
    A read-only store creates and changes nothing. cipher: encrypts a store that is new; any other
    must be encrypted with that key, or be plain where there is none (else StoreKeyError). Raises
    StoreError (LedgerError, StoreLocked, MemoryNotFound) with the remedy, and MemoryFileError for a
    file that breaks the protocol.
    """

    def __init__(
        self,
        root: Path | str,
        read_only: bool = False,
        space_id: str | None = None,
        trusted: Mapping[str, bytes] | None = None,
        slot_norm_bounds: tuple[float, float] = SLOT_NORM_BOUNDS,
        cipher: Cipher | None = None,
    ) -> None:
        self.root = Path(root).expanduser()
        self.read_only = read_only
        self.cipher = cipher
        self._space_id = space_id
        self._trusted = trusted
        self._slot_norm_bounds = slot_norm_bounds
        self._shelf = Shelf(self.root, self._parse, cipher)
        self._ledger: Ledger | None = None
        self._ledger_lock = threading.Lock()
        self.merged = MergedMemories(self._shelf, self._ledger_if_any, self._writing)
        self.marks = Marks(self._ledger_if_any)
        if not read_only:
            self._claim()
            self._shelf.create()
            self._settle_incoming()
        elif self._shelf.files.is_dir():
            check_protection(self.root, cipher)
        else:
            raise StoreError(
                f"no memory store at {self.root}; remedy: compile something first, or name "
                "another store with --store or UMP_HOME"
            )

    @property
    def ledger(self) -> Ledger:
        """The ledger, opened at first use. Raises LedgerError if it is damaged."""
        with self._ledger_lock:
            if self._ledger is None:
                self._ledger = Ledger(
                    self.root / "ledger.sqlite", self.read_only, self.cipher
                )
            return self._ledger

    def lock(self, role: str) -> StoreLock:
        """The lock of a role ("server", "compiler") on this store, not yet acquired."""
        return StoreLock(self.root, role)

    def add(
        self,
        file: MemoryFile,
        provenance: Provenance | None = None,
        originals: Sequence[str] = (),
    ) -> str:
        """Keep a memory; durable once this returns. The same content again changes nothing.

        originals: those that it was merged from; they are hidden from then on (`memory.merged`).
        Returns its id. Raises MemoryFileError if it breaks the protocol or this store's rules.
        """
        self._parse(file.to_bytes())
        if provenance is None or provenance.imported:
            self._check_maker(file)
        origin = provenance or Provenance()
        record = Record(file.id, file.counter, file.space_id, file.key_id, origin)
        with self._writing():
            if self._holds(file.id):
                if originals or self.ledger.get(file.id) is None:
                    self.ledger.insert(record, originals)
                return file.id
            try:
                self._shelf.receive(file)
                self.ledger.insert(record, originals)
            except StoreError:
                self._shelf.discard(f"{file.id}{SUFFIX}")
                raise
            self._shelf.publish(file.id)  # if this fails, the next opening finishes it
        return file.id

    def get(self, memory_id: str) -> MemoryFile:
        """Read and check a memory. Raises MemoryNotFound, MemoryFileError or StoreError."""
        file = self._shelf.read(memory_id)
        self._check_maker(file)
        return file

    def record(self, memory_id: str) -> Record | None:
        """The ledger row of a memory, None if it has none."""
        return self.ledger.get(memory_id) if self._has_ledger() else None

    def records(self) -> list[Record]:
        """All ledger rows, oldest compiled first."""
        return self.ledger.records() if self._has_ledger() else []

    def ids(self) -> list[str]:
        """Ids of all memories that are remembered, sorted: hidden originals are not."""
        return sorted(set(self._shelf.ids()) - self.merged.hidden())

    def within(self, window: Window) -> list[str]:
        """Ids of the memories that lie in a window, by the ledger, in no order."""
        return self.ledger.within(window) if self._has_ledger() else []

    def version(self) -> int:
        """A number that changes when a memory comes or goes, by whomever; cheap to ask for."""
        return self._shelf.version()

    def resolve(self, prefix: str) -> str:
        """The one id that starts with `prefix` (4 hex digits or more). Raises MemoryNotFound."""
        return self._shelf.resolve(prefix)

    def path_of(self, memory_id: str) -> Path:
        """Where the file of a memory lies, whether it exists or not. Raises MemoryNotFound."""
        return self._shelf.path_of(memory_id)

    def __contains__(self, memory_id: str) -> bool:
        return self.path_of(memory_id).exists()

    def __len__(self) -> int:
        return len(self.ids())

    def next_counter(self) -> int:
        """The creation counter for the next memory this robot makes."""
        return self.ledger.next_counter()

    def forget(self, memory_id: str) -> tuple[str, ...]:
        """Remove a memory and its ledger row, text included: the ids of all files that went.

        Raises MemoryNotFound. The index drops them when it is next synchronised
        (`PassportIndex.synchronise`).
        """
        with self._writing():
            if memory_id not in self and self.ledger.get(memory_id) is None:
                raise MemoryNotFound(f"memory {memory_id} is not in store {self.root}")
            gone = self.merged.parted_with(memory_id)
            for one in gone:
                self._shelf.remove(one)
            self.ledger.delete(*gone)
        return gone

    def verify(self) -> VerifyReport:
        """Re-read and re-hash every file and compare files with ledger; changes nothing."""
        report = VerifyReport()
        for memory_id in self._shelf.ids():
            try:
                self.get(memory_id)
            except MemoryNotFound:
                continue  # forgotten by another process since it was listed
            except (MemoryFileError, StoreError) as error:
                report.problems.append(Problem(memory_id, str(error)))
            report.checked += 1
        rows: set[str] = set()
        try:
            if self._has_ledger():
                self.ledger.check()
                rows = self.ledger.ids()
        except LedgerError as error:
            report.problems.append(Problem("ledger", str(error)))
            return report
        files = set(self._shelf.ids())
        orphan = "has no ledger row; remedy: run `ump memory reindex`"
        gone = "is in the ledger but its file is gone; remedy: import it again, or reindex"
        report.problems += [Problem(memory_id, orphan) for memory_id in sorted(files - rows)]
        report.problems += [Problem(memory_id, gone) for memory_id in sorted(rows - files)]
        return report

    def import_path(self, path: Path | str, source: str = "") -> ImportReport:
        """Take in a memory file, a folder of them or a .tar bundle.

        source: what the ledger shall say (default: the path). Files that are refused are copied
        to the quarantine folder with the reason.
        """
        report = ImportReport()
        for candidate in candidates(Path(path).expanduser()):
            if candidate.refusal:
                report.refused.append(Problem(candidate.name, candidate.refusal))
                continue
            try:
                memory_id, new = self.import_bytes(
                    candidate.data, candidate.name, source or str(path)
                )
            except MemoryFileError as error:
                report.refused.append(Problem(candidate.name, _reason(error)))
            else:
                (report.added if new else report.present).append(memory_id)
        return report

    def import_bytes(self, data: bytes, name: str, source: str) -> tuple[str, bool]:
        """Take in one memory file, `name` to people: its id, and whether it is new here.

        Raises MemoryFileError if it is refused; it then lies in quarantine with the reason.
        """
        try:
            data = self._shelf.opened(data)  # of this store's own quarantine
            file = self._parse(data)
            new = not self._holds(file.id)
            self.add(file, Provenance(source=source, imported=True))
        except MemoryFileError as error:
            with self._writing():
                self._shelf.quarantine_offered(data, name, _reason(error))
            raise
        self._shelf.release(data)
        return file.id, new

    def quarantined(self) -> list[Quarantined]:
        """Files that were refused and kept aside, by name."""
        return self._shelf.quarantined()

    def empty_quarantine(self) -> int:
        """Delete what lies in quarantine; how many files that were."""
        with self._writing():
            return self._shelf.empty_quarantine()

    def export(
        self, memory_ids: Sequence[str], destination: Path | str, signer: Signer | None = None
    ) -> list[Path]:
        """Copy memories out: to a .tar bundle, one .ump file, or a folder (made if missing).

        signer: signs what this robot made itself. Returns the paths written. Provenance stays here.
        """
        files = [self.handed_out(memory_id, signer) for memory_id in dict.fromkeys(memory_ids)]
        return write_files(files, Path(destination).expanduser())

    def handed_out(self, memory_id: str, signer: Signer | None = None) -> MemoryFile:
        """A memory as others get it: `signer` signs it if it is this robot's own.

        A signature says who made a memory, so those of others stay as they came.
        """
        file = self.get(memory_id)
        if signer is None or file.signature or not self._is_own(memory_id):
            return file
        return file.signed(signer)

    def reindex(self) -> ReindexReport:
        """Rebuild the ledger from the files, keeping every provenance that can still be read.

        Unsound files go to quarantine. Raises StoreLocked while a compiler or server runs.
        """
        report = ReindexReport()
        with self.lock("compiler"), self.lock("server"), self._writing():
            marks = salvage_marks(self.root / "ledger.sqlite")
            rows = self._readable_rows(report)
            for memory_id in self._shelf.ids():
                try:
                    file = self.get(memory_id)
                except MemoryFileError as error:
                    reason = _reason(error)
                    self._shelf.quarantine_stored(memory_id, reason)
                    report.quarantined.append(Problem(memory_id, reason))
                    continue
                report.kept += 1
                row = rows.pop(memory_id, None)
                if row is None:
                    # Files are signed when they are handed out: a signed one came from another.
                    origin = Provenance(imported=bool(file.signature))
                    row = Record(file.id, file.counter, file.space_id, file.key_id, origin)
                    report.without_provenance.append(memory_id)
                if self.ledger.get(memory_id) != row:
                    self.ledger.insert(row)
            for memory_id in sorted(rows):
                self.ledger.delete(memory_id)
                report.dropped.append(memory_id)
            self.marks.add(marks)
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
        return MemoryFile.from_bytes(
            data, self._space_id, slot_norm_bounds=self._slot_norm_bounds
        )

    def _check_maker(self, file: MemoryFile) -> None:
        """Raise SignatureError for a memory of a robot that is not trusted."""
        if self._trusted is not None and not self._is_own(file.id):
            file.check_signature(self._trusted)

    def _is_own(self, memory_id: str) -> bool:
        record = self.record(memory_id)
        return record is not None and not record.provenance.imported

    def _holds(self, memory_id: str) -> bool:
        """Whether a memory is there, whole, and of a maker that is trusted."""
        try:
            self.get(memory_id)
        except (MemoryNotFound, MemoryFileError):
            return False
        return True

    @contextmanager
    def _writing(self) -> Iterator[None]:
        if self.read_only:
            raise StoreError(f"store {self.root} was opened read-only; remedy: open it writable")
        with writing(self.root):
            check_protection(self.root, self.cipher)  # it may have been converted meanwhile
            yield

    def _claim(self) -> None:
        """Encrypt a store that is new, and refuse one of another key before it is touched."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise storage_error(error, "create", self.root) from error
        with writing(self.root):
            protect_new(self.root, self.cipher)
        check_protection(self.root, self.cipher)

    def _has_ledger(self) -> bool:
        return not self.read_only or (self.root / "ledger.sqlite").exists()

    def _ledger_if_any(self) -> Ledger | None:
        return self.ledger if self._has_ledger() else None

    def _settle_incoming(self) -> None:
        """Finish adds whose row was committed, undo the others: their writer was killed."""
        with self._writing():
            for name, memory_id in self._shelf.unfinished():
                try:
                    committed = memory_id is not None and self.ledger.get(memory_id) is not None
                except LedgerError:
                    return  # a damaged ledger cannot tell; after `reindex` it can
                if memory_id is not None and committed:
                    self._shelf.publish(memory_id)
                else:
                    self._shelf.discard(name)
            if (self.root / "ledger.sqlite").exists():
                self.merged.settle()

    def _readable_rows(self, report: ReindexReport) -> dict[str, Record]:
        """Rows of the ledger; a damaged one is put aside and what is readable of it is saved."""
        path = self.root / "ledger.sqlite"
        try:
            self.ledger.check()
            return {record.id: record for record in self.ledger.records()}
        except LedgerError:
            self.close()
        saved = salvage(path, self.cipher)
        report.damaged_ledger = put_aside(path)
        return {record.id: record for record in saved}


def _reason(error: MemoryFileError) -> str:
    return f"{error.reason}: {error}"
