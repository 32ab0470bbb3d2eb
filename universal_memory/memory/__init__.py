"""Memory files (UMP/1), their signatures, and the store that keeps them with a ledger.

`file` is the format, `signing` says who made a file, `store` keeps files by content, `ledger`
keeps where each came from. Specification: docs/protocol.md.
"""

from __future__ import annotations
