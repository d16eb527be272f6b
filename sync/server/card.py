"""Drawing codes: black on white, nothing on top, four modules of quiet zone."""

from __future__ import annotations

import io
from pathlib import Path

import segno
from markupsafe import Markup

from sync.server.centre import CentreError

CODE_MM = 32
"""Width of a printed code with its quiet zone excluded: LOOK.md asks for 30 to 35."""
QUIET_MODULES = 4
_PNG_PIXELS_PER_MODULE = 12


def building(dwelling: str) -> str:
    """What a card says of a dwelling: its building, never the room; a lost card must not lead home."""
    first, dash, _ = dwelling.replace("－", "-").partition("-")
    return first if dash and len(first) <= 8 else ""


def draw(text: str) -> segno.QRCode:
    """The code of a credential at ECC Q: version 7 for a card, without digits."""
    return segno.make(text, error="q", boost_error=False, micro=False)


def svg(text: str) -> str:
    """An SVG for a page, ``CODE_MM`` wide when printed, scalable on a screen."""
    code = draw(text)
    modules = code.symbol_size(border=0)[0]
    out = io.BytesIO()
    code.save(out, kind="svg", border=QUIET_MODULES, xmldecl=False, svgns=True, unit="mm", scale=CODE_MM / modules,
              dark="#000", light="#fff")  # fmt: skip
    return out.getvalue().decode()


def drawn(text: str) -> Markup:
    """The same, for a template to put in as it is."""
    return Markup(svg(text))  # noqa: S704 (drawn by us, no text in it)


def save(text: str, path: Path) -> None:
    """Write a code as PNG or SVG, as the file's name ends. Raises CentreError."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise CentreError("The file's name must end in .png or .svg.")
    try:
        if path.suffix.lower() == ".svg":
            path.write_text(svg(text), encoding="utf-8")
        else:
            draw(text).save(str(path), border=QUIET_MODULES, scale=_PNG_PIXELS_PER_MODULE)
    except OSError as err:
        raise CentreError(f"{path} cannot be written: {err.strerror}.") from err
