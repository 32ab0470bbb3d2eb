"""What the store's longer jobs say they did."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """Something wrong with one memory or one offered file, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Quarantined:
    """A refused file that is kept aside: where, what it was called, and why it was refused."""

    path: Path
    name: str
    reason: str


@dataclass
class ImportReport:
    """Ids that are new, ids that were there already, files refused."""

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
    """Memories kept, ids whose provenance is lost, ledger rows dropped, files quarantined.

    damaged_ledger: where a ledger that could not be read was put aside.
    """

    kept: int = 0
    without_provenance: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    quarantined: list[Problem] = field(default_factory=list)
    damaged_ledger: Path | None = None
