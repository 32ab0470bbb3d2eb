"""
What went wrong in a node, remembered long enough for an operator to see it.

Bad input is normal on a robot: it is refused with a reason, counted, and shown in `/diagnostics`
as a warning for `MEMORABLE_SECONDS`, then only in the counts. An error that stops the node's work
stays until it is cleared.
"""

from __future__ import annotations

import threading
import time
from collections import Counter

MEMORABLE_SECONDS = 30.0


class Health:
    """Counts refused input per reason and holds the error that stops the node, if any."""

    def __init__(self) -> None:
        """Start healthy."""
        self._lock = threading.Lock()
        self._refused: Counter[str] = Counter()
        self._last_reason = ""
        self._last_time = float("-inf")
        self._errors: dict[str, str] = {}

    def refuse(self, kind: str, reason: str) -> bool:
        """Count bad input of `kind`; return True if it is the first of its kind (worth a log)."""
        with self._lock:
            self._refused[kind] += 1
            self._last_reason = reason
            self._last_time = time.monotonic()
            return self._refused[kind] == 1

    def fail(self, part: str, error: str) -> None:
        """Remember that `part` of the node cannot work, and why, with the remedy."""
        with self._lock:
            self._errors[part] = error

    def mend(self, part: str) -> None:
        """Forget the error of `part`: it works."""
        with self._lock:
            self._errors.pop(part, None)

    @property
    def error(self) -> str:
        """What stops the node's work, or the empty string."""
        with self._lock:
            return "; ".join(self._errors.values())

    @property
    def warning(self) -> str:
        """The last reason for refusing input while it is fresh, or the empty string."""
        with self._lock:
            fresh = time.monotonic() - self._last_time < MEMORABLE_SECONDS
            return self._last_reason if fresh else ""

    @property
    def refused(self) -> dict[str, int]:
        """Number of refused inputs per kind."""
        with self._lock:
            return dict(self._refused)

    @property
    def last_reason(self) -> str:
        """The last reason for refusing input, however old."""
        return self._last_reason
