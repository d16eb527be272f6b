"""The code that leads people with nothing to show to the form. Pure."""

from __future__ import annotations

from functools import lru_cache

import segno

_LONGEST = 200


@lru_cache(4)
def form_code(url: str) -> str:
    """SVG of the address, black on white with its quiet zone; empty where it is no address of a page."""
    if not url.startswith(("https://", "http://")) or len(url) > _LONGEST or not url.isprintable():
        return ""
    return str(segno.make_qr(url, error="m").svg_inline(dark="#000", light="#fff", omitsize=True))
