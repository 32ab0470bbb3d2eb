"""The rows of a rolling buffer from one key to another, or to none."""

from __future__ import annotations

import sqlite3

from universal_memory.encryption import Cipher
from universal_memory.experience.buffered_event import REWRITE, from_row, to_row


def reseal(database: sqlite3.Connection, old: Cipher | None, new: Cipher | None) -> None:
    """
    Write every event and every identity anew, in the transaction that is open; None is plain.

    Raises SealError for a row that `old` does not open.
    """
    database.row_factory = sqlite3.Row
    erased = "state = 2 AND memory_id IS NULL"  # what carried nothing new says nothing any more
    rows = database.execute(f"SELECT sequence FROM events WHERE NOT ({erased})")  # noqa: S608
    for (sequence,) in rows.fetchall():
        query = "SELECT * FROM events WHERE sequence = ?"
        row = database.execute(query, (sequence,)).fetchone()
        private = to_row(from_row(row, old).event, sequence, new)[2:]
        database.execute(REWRITE, (*private, sequence))
    for sequence, identity in database.execute("SELECT sequence, identity FROM seen").fetchall():
        digest = identity if old is None else old.unmask(identity)
        masked = digest if new is None else new.mask(digest)
        database.execute("UPDATE seen SET identity = ? WHERE sequence = ?", (masked, sequence))
