"""What a check of a package or a space found: one line each, for tables, JSON and exit codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OK, FAILED, SKIPPED, WARNING = "ok", "failed", "skipped", "warning"


@dataclass(frozen=True)
class Check:
    """One rule. `state`: OK, FAILED, SKIPPED (could not be tried) or WARNING (does not fail)."""

    name: str
    state: str
    message: str = ""


def passed(checks: Sequence[Check]) -> bool:
    """Whether something was checked and nothing failed."""
    return bool(checks) and all(check.state != FAILED for check in checks)
