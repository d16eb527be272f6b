"""What a reviewer should look at twice before deciding on an application."""

from __future__ import annotations

from sync.server.centre import Writing


def find_warnings(writing: Writing, household_id: int) -> tuple[str, ...]:
    """Codes, the gravest first; empty: a clean one."""
    return ()
