"""How every code of ours is drawn, on paper and on screens: decided here and nowhere else.

Pure black on pure white in every theme, square modules with hard edges, nothing on top of them, and four modules of
quiet zone (ISO/IEC 18004, 6.3.8), drawn with the code so that no page has to remember it.

How small a module may be follows from the reader. 95 % of codes are read down to 2 camera pixels a module. A camera
with the standard lens (4.74 mm, pixels of 1.4 µm, 4608 of them across, taken as 1280) has 3.76 pixels a millimetre at
the 25 cm a gate is focused at unless told otherwise: 2 pixels are 0.53 mm.

The error level is Q, which a finger, a crease or a reflection costs least: at equal width under glare and fingers M
reads 83 % and Q 97 %. M's larger modules are worth more only where Q would push them under that limit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
import segno
from markupsafe import Markup

from sync.server.centre.errors import CentreError

CODE_MM = 35.0
"""Room for a printed code without its quiet zone: 30 to 35 are wanted, and wider is read from further away."""
QUIET_MODULES = 4
SMALLEST_MM = 0.53
"""A printed module's least side: two pixels of the camera at 25 cm."""
DOT_MM = 25.4 / 300
"""A dot of an office printer. Modules are whole dots wide, so that none is printed a dot wider than its neighbour."""
COARSE_MM = 2.0
"""From here on a dot more or less is nothing to a module: a poster's are as large as its room allows."""
_PNG_PIXELS_PER_MODULE = 12
Level = Literal["q", "m"]


def building(dwelling: str) -> str:
    """What a card says of a dwelling: its building, never the room; a lost card must not lead home."""
    first, dash, _ = dwelling.replace("－", "-").partition("-")
    return first if dash and len(first) <= 8 else ""


class QrModules(msgspec.Struct, frozen=True):
    """A code to draw: rows of modules, "1" black, the quiet zone included."""

    rows: tuple[str, ...]

    @property
    def size(self) -> int:
        """Modules on a side, the quiet zone included."""
        return len(self.rows)

    def module_mm(self, room_mm: float) -> float:
        """The side of a printed module where the code without its quiet zone has so much room."""
        module = room_mm / (self.size - 2 * QUIET_MODULES)
        return module if module >= COARSE_MM else max(1, int(module / DOT_MM)) * DOT_MM

    def whole_mm(self, room_mm: float) -> float:
        """How wide it is printed with its quiet zone, where the code itself has so much room."""
        return round(self.module_mm(room_mm) * self.size, 3)

    @property
    def path(self) -> str:
        """The black modules as one SVG path, a unit a module: one filled path has no seams between its parts."""
        return "".join(
            f"M{start} {y}h{length}v1h-{length}z" for y, row in enumerate(self.rows) for start, length in _runs(row)
        )

    def svg(self, room_mm: float = CODE_MM) -> Markup:
        """For a page to put in as it is; on a screen its style may make it any size."""
        whole = f"{self.whole_mm(room_mm):g}mm"
        return Markup(  # noqa: S704 (drawn by us, no text in it)
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{whole}" '
            f'viewBox="0 0 {self.size} {self.size}" shape-rendering="crispEdges">'
            f'<path d="M0 0h{self.size}v{self.size}h-{self.size}z" fill="#fff"/>'
            f'<path d="{self.path}" fill="#000"/></svg>'
        )


def _runs(row: str) -> list[tuple[int, int]]:
    """Start and length of each run of black modules."""
    starts = [at for at, bit in enumerate(row) if bit == "1" and row[at - 1 : at] != "1"]
    return [(at, len(row) - at - len(row[at:].lstrip("1"))) for at in starts]


def draw(text: str, room_mm: float = CODE_MM) -> QrModules:
    """The code of a text that will be printed with so much room for it, its quiet zone not counted."""
    code = code_of(encoded(text, "q"))
    return code if code.module_mm(room_mm) >= SMALLEST_MM else code_of(encoded(text, "m"))


def encoded(text: str, level: Level, **more: Any) -> segno.QRCode:
    """At the level asked for, and no other: QR Model 2, never Micro QR, which the gates do not read."""
    return segno.make(text, error=level, boost_error=False, micro=False, **more)


def code_of(made: segno.QRCode) -> QrModules:
    """With its quiet zone."""
    return QrModules(tuple("".join("01"[bit & 1] for bit in row) for row in made.matrix_iter(border=QUIET_MODULES)))


def drawn(text: str) -> Markup:
    """The code of a text, for a page: at most ``CODE_MM`` wide when printed, scalable on a screen."""
    return draw(text).svg()


def save(text: str, path: Path) -> None:
    """Write a code as PNG or SVG, as the file's name ends. Raises CentreError."""
    if path.suffix.lower() not in (".png", ".svg"):
        raise CentreError(en="The file's name must end in .png or .svg.")
    try:
        if path.suffix.lower() == ".svg":
            path.write_text(drawn(text), encoding="utf-8")
        else:
            encoded(text, "q").save(str(path), border=QUIET_MODULES, scale=_PNG_PIXELS_PER_MODULE)
    except OSError as err:
        raise CentreError(en=f"{path} cannot be written: {err.strerror}.") from err
