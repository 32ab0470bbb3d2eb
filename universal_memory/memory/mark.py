"""Marks: which memory superseded which, beside the rows of the ledger.

Memories themselves stay as they are: a mark is made from their vectors (`runtime.succession`), and
lifted when either of the two is forgotten. It names ids, which are not private, and no word.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from universal_memory.memory.ledger import Ledger

# Not of the schema: a ledger of before gets it when it is opened for writing.
MARKS = (
    "CREATE TABLE IF NOT EXISTS supersessions (superseded TEXT NOT NULL, superseding TEXT NOT NULL,"
    " probability REAL NOT NULL, stamp INTEGER NOT NULL,"
    " PRIMARY KEY (superseded, superseding)) WITHOUT ROWID"
)
_THERE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'supersessions'"
_INSERT = "INSERT OR REPLACE INTO supersessions VALUES (?, ?, ?, ?)"
_SELECT = "SELECT superseded, superseding, probability, stamp FROM supersessions"
_DELETE = "DELETE FROM supersessions WHERE superseded = :id OR superseding = :id"
# A chain of three: the first leads to the second, and through it to the third.
_LATER = """
    WITH RECURSIVE later(first, id) AS (
        SELECT superseded, superseding FROM supersessions WHERE superseded IN ({})
        UNION
        SELECT later.first, next.superseding
        FROM later JOIN supersessions AS next ON next.superseded = later.id
    )
    SELECT first, id FROM later WHERE id <> first
"""
_STALE = (
    "DELETE FROM supersessions WHERE superseded NOT IN (SELECT id FROM memories)"
    " OR superseding NOT IN (SELECT id FROM memories)"
)
_MOST = 500  # ids of one question to the database


@dataclass(frozen=True)
class Mark:
    """One memory says something else of what another one, experienced earlier, is about.

    probability: that it does, by the network that compared them. stamp: end of what the superseding
    one was made of, nanoseconds of the node clock, 0 if unknown.
    """

    superseded: str
    superseding: str
    probability: float
    stamp: int = 0


def insert_marks(database: sqlite3.Connection, marks: Iterable[Mark]) -> None:
    """Write marks, or replace them."""
    database.executemany(_INSERT, map(astuple, marks))


def delete_marks(database: sqlite3.Connection, memory_id: str) -> None:
    """Lift every mark on a memory, and every one that it is the reason of."""
    database.execute(_DELETE, {"id": memory_id})


def carry_marks(database: sqlite3.Connection, merged: str, originals: Sequence[str]) -> None:
    """Give a memory the marks of those that it was merged from, to others and from others."""
    for one in originals:
        others = [other for other in (merged, *originals) if other != one]
        held = f"NOT IN ({', '.join('?' * len(others))})"
        for columns, of, beside in (
            ("?, superseding", "superseded", "superseding"),
            ("superseded, ?", "superseding", "superseded"),
        ):
            database.execute(
                f"INSERT OR REPLACE INTO supersessions SELECT {columns}, probability, stamp"  # noqa: S608
                f" FROM supersessions WHERE {of} = ? AND {beside} {held}",
                (merged, one, *others),
            )


def all_marks(database: sqlite3.Connection) -> list[Mark]:
    """Every mark; none in a ledger that is older than marks."""
    if database.execute(_THERE).fetchone() is None:
        return []
    return [Mark(*row) for row in database.execute(f"{_SELECT} ORDER BY stamp, superseded")]


def later_than(database: sqlite3.Connection, memory_ids: Iterable[str]) -> dict[str, set[str]]:
    """For those of some memories that are superseded, all that came after, to the newest."""
    found: dict[str, set[str]] = {}
    asked = list(memory_ids)
    if database.execute(_THERE).fetchone() is None:
        return found
    for start in range(0, len(asked), _MOST):
        part = asked[start : start + _MOST]
        for first, later in database.execute(_LATER.format(", ".join("?" * len(part))), part):
            found.setdefault(first, set()).add(later)
    return found


def delete_stale(database: sqlite3.Connection) -> None:
    """Lift the marks of memories that have no row."""
    database.execute(_STALE)


def salvage_marks(path: Path) -> list[Mark]:
    """Every mark that can still be read of a damaged ledger; never raises."""
    found: list[Mark] = []
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            found += (Mark(*row) for row in database.execute(_SELECT))
    except (sqlite3.Error, TypeError):
        pass  # the rest is lost
    return found


class Marks:
    """Those of one store. `ledger`: gives the ledger, None where a read-only store has none.

    Raises LedgerError.
    """

    def __init__(self, ledger: Callable[[], Ledger | None]) -> None:
        self._ledger = ledger

    def add(self, marks: Sequence[Mark]) -> None:
        """Write marks down; durable once this returns."""
        ledger = self._ledger()
        if ledger is not None and marks:
            ledger.mark(marks)

    def all(self) -> list[Mark]:
        """What superseded what, the oldest first."""
        ledger = self._ledger()
        return ledger.marks() if ledger is not None else []

    def later_than(self, memory_ids: Sequence[str]) -> dict[str, set[str]]:
        """For those of some memories that are superseded, all that came after, to the newest."""
        ledger = self._ledger()
        return ledger.later_than(memory_ids) if ledger is not None and memory_ids else {}

    def by_superseded(self) -> dict[str, list[str]]:
        """For every memory that is superseded, the ids of those that superseded it."""
        found: dict[str, list[str]] = {}
        for mark in self.all():
            found.setdefault(mark.superseded, []).append(mark.superseding)
        return found
