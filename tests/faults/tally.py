"""What one part of the fault runs came to."""

from __future__ import annotations

import msgspec


class Tally(msgspec.Struct, frozen=True):
    """``tried`` faults, of which the device ``held`` so many; ``notes`` say what was found, and the figures."""

    name: str
    tried: int
    held: int
    notes: tuple[str, ...] = ()
