"""Merged memories: which files a merged one stands for, and their life until that is confirmed.

The originals stay on the shelf, hidden for as long as the merged file lies beside them: nothing but
its coming and going, each one rename or removal of a file, changes what is remembered. So whoever
is killed in between leaves the originals, or the merged memory, or both, and never neither:

    merge     row and links are committed, then the merged file is published: the originals hide
    undo      the merged file is removed: they are back; then its row goes
    confirm   the links say so, then the originals are removed for good, then their rows
    forget    a merged memory goes with its originals; an original goes alone: its merged memory is
              undone first, and the others are back

What is not finished is finished when the store is opened next. Lost with the ledger are the links
alone: after `ump memory reindex` originals and merged memories lie side by side.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from universal_memory.memory.errors import LedgerError
from universal_memory.memory.shelf import Shelf

if TYPE_CHECKING:
    from universal_memory.memory.ledger import Ledger

# Not of the schema: a ledger of before gets it when it is opened for writing.
MERGED = (
    "CREATE TABLE IF NOT EXISTS merged (original TEXT PRIMARY KEY, merged TEXT NOT NULL,"
    " confirmed INTEGER NOT NULL) WITHOUT ROWID"
)
_THERE = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'merged'"


@dataclass(frozen=True)
class Merged:
    """A merged memory and the ids of its originals. `confirmed`: they are on their way out."""

    id: str
    originals: tuple[str, ...]
    confirmed: bool = False


def insert_links(database: sqlite3.Connection, memory_id: str, originals: Iterable[str]) -> None:
    """Write down what a memory was merged from."""
    rows = [(original, memory_id, 0) for original in originals]
    database.executemany("INSERT OR REPLACE INTO merged VALUES (?, ?, ?)", rows)


def delete_links(database: sqlite3.Connection, memory_id: str) -> None:
    """Know no longer what a memory was merged from, or into."""
    database.execute("DELETE FROM merged WHERE original = :id OR merged = :id", {"id": memory_id})


def confirm_links(database: sqlite3.Connection, memory_id: str) -> None:
    """Say that the originals of a merged memory are not wanted back."""
    database.execute("UPDATE merged SET confirmed = 1 WHERE merged = ?", (memory_id,))


def all_links(database: sqlite3.Connection) -> list[Merged]:
    """Every merged memory; none in a ledger that is older than merging."""
    if database.execute(_THERE).fetchone() is None:
        return []
    found: dict[str, tuple[list[str], bool]] = {}
    query = "SELECT merged, original, confirmed FROM merged ORDER BY merged, original"
    for memory_id, original, confirmed in database.execute(query):
        originals, _ = found.setdefault(memory_id, ([], bool(confirmed)))
        originals.append(original)
    return [Merged(one, tuple(them), confirmed) for one, (them, confirmed) in found.items()]


class MergedMemories:
    """Those of one store; `undo` and `confirm` raise StoreError.

    `ledger`: gives the ledger, None where a read-only store has none. `writing`: keeps other
    writers out.
    """

    def __init__(
        self,
        shelf: Shelf,
        ledger: Callable[[], Ledger | None],
        writing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._shelf, self._ledger, self._writing = shelf, ledger, writing

    def all(self) -> list[Merged]:
        """Those whose file is there, by id; none where the ledger cannot tell."""
        return [one for one in self._links() if self._shelf.path_of(one.id).exists()]

    def hidden(self) -> set[str]:
        """Ids of the originals that are not remembered as long as they are merged."""
        return {original for one in self.all() for original in one.originals}

    def parted_with(self, memory_id: str) -> tuple[str, ...]:
        """Ids of the files that go when a memory is forgotten, in the order in which they do.

        Of a merged memory the originals go first: a crash must not bring them back. Of an original
        the merged one does, and uncovers the others.
        """
        for one in self.all():
            if memory_id == one.id:
                return (*one.originals, one.id)
            if memory_id in one.originals:
                return (one.id, memory_id)
        return (memory_id,)

    def undo(self) -> list[Merged]:
        """Remove merged memories whose originals are all kept: these are remembered again."""
        with self._writing():
            found = [one for one in self.all() if not one.confirmed]
            for one in found:
                self._shelf.remove(one.id)
                self._delete([one.id])
        return found

    def confirm(self) -> list[Merged]:
        """Delete the originals of all merged memories for good."""
        with self._writing():
            found = self.all()
            ledger = self._ledger()
            if ledger is not None and found:
                ledger.confirm_merged([one.id for one in found])
            self.settle()
        return found

    def settle(self) -> None:
        """Finish what was confirmed, and what was undone: whoever did it was killed.

        Expects the store's write lock.
        """
        for one in self._links():
            if not self._shelf.path_of(one.id).exists():
                self._delete([one.id])
            elif one.confirmed:
                for original in one.originals:
                    self._shelf.remove(original)
                self._delete(one.originals)

    def _links(self) -> list[Merged]:
        try:
            ledger = self._ledger()
            return ledger.merged() if ledger is not None else []
        except LedgerError:
            return []

    def _delete(self, memory_ids: Sequence[str]) -> None:
        ledger = self._ledger()
        if ledger is not None:
            ledger.delete(*memory_ids)
