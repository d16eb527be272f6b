"""What a centre is told from outside, read once."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def utc_ms() -> int:
    """UTC milliseconds by this machine's clock: at the centre that clock is the reference."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """``state`` is the folder of the database, the key file and the prepared snapshots.

    ``database_url`` is a SQLAlchemy address; None: ``centre.db`` in the state folder. ``secure_cookies`` is False only
    where pages are served over plain HTTP on purpose. ``proxies`` is how many reverse proxies stand before us, whose
    ``X-Forwarded-For`` is believed. ``watch`` starts the thread that sees commits of other programs.
    """

    state: Path
    database_url: str | None = None
    secure_cookies: bool = True
    proxies: int = 0
    host_names: tuple[str, ...] = ()
    """Names and addresses the centre answers to, beside the town's public address and where a request arrived."""
    at_once: int = 16
    """Requests of gates worked on at a time; more are asked to come back later."""
    streams: int = 300
    """Wake-up streams held open at a time."""
    watch: bool = True
    watch_every_s: float = 1.0
    comment_every_s: float = 15.0
    pin_passes: int = 3
    pin_memory_bytes: int = 64 << 20
    """What checking a guard's PIN costs: Argon2id, the second recommended option of RFC 9106 (section 4) but for the
    lanes, of which libsodium has one. A gate's core of 256 MB holds it twice at once. It is five times what 16 MiB
    cost: some 0.5 s on a Pi 4 and 1.2 s on a Pi 3B+, reckoned from their memory and not measured. Guessing becomes dear
    by it; six digits do not become safe."""
    clock: Callable[[], int] = utc_ms
