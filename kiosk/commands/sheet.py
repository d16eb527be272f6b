"""``python -m kiosk sheet``: the sheet of paper a technician holds before a camera, and what a camera read of it.

The codes are as dense as a card's (version 7, error level Q), each with its own size as its text, so that the smallest
one that is read says how small a card's modules may be at this place, with this lens and in this light. None of the
texts is a pass or starts like one.

A4 at 300 dots an inch, every module whole dots wide: no printer makes one a dot wider than its neighbour.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from hardware import Decoder, HardwareError, Picture
from kiosk.commands.scan import pictures, scan_picture

DPI = 300
DOT_MM = 25.4 / DPI
PAPER_MM = (210.0, 297.0)
DOTS = (3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 17)
"""Modules of 0.25 to 1.44 mm."""
CARD_DOTS = 9
"""What a card is printed with; one code of this size is inverted, as a phone in dark mode might show it."""
VERSION, LEVEL, QUIET_MODULES = 7, "q", 4
_MODULES = 17 + 4 * VERSION + 2 * QUIET_MODULES
_TEXT = re.compile(r"SHEET (\d\.\d\d) MM Q( INVERTED)?")

_PLACES: dict[int, tuple[float, float]] = {
    17: (8, 80), 14: (87, 80), 10: (153, 80), 8: (157.5, 129.5),
    12: (8, 171), 9: (62, 171), 7: (146, 171), 6: (148, 207), 5: (178, 171), 4: (180, 198), 3: (182, 220.5),
}  # fmt: skip
"""Left and top of each code with its quiet zone, in mm. The small ones stand together: they must be in one picture."""
_INVERTED_PLACE = (104.5, 171.0)
_STAR_CENTRE, _STAR_RADIUS, _SPOKES = (176.0, 46.0), 22.0, 36
_GREYS, _GREY_PLACE, _GREY_MM = 11, (10.0, 246.0), (17.0, 11.0)
_RULER_PLACE, RULER_CM = (10.0, 270.0), 18

_INSTRUCTIONS = (
    ("按100%打印（不要“适合页面”），用黑色激光打印，白色哑光纸。",
     "Print at 100 % (not “fit to page”), black laser, plain white paper."),
    ("量一量下面的尺子：必须正好18厘米。", "Measure the ruler below: it must be exactly 18.0 cm long."),
    ("放在居民出示的位置（一般25厘米），与镜头平行。",
     "Hold it where residents hold their codes (25 cm unless set otherwise), flat to the lens."),
    ("调焦：右边的星形，中间的灰团越小越好。",
     "Focus: the grey spot in the middle of the star must be as small as possible."),
    ("拍照后运行 python -m kiosk sheet --check 照片：会说出读到的最小码。",
     "Take photos, then run python -m kiosk sheet --check PHOTO...: it names the smallest code read."),
    ("证卡的码是0.76毫米：读到0.59或更小才有余量。灰阶每格都应看得出不同。",
     "A card has 0.76 mm: with 0.59 or smaller there is some reserve. All steps of the grey scale must differ."),
)  # fmt: skip
_TITLE = ("门口读码测试页", "Calibration sheet for gate cameras")
_INVERTED = ("反色", "inverted")

_CJK_FONTS = (
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 2),
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 0),
    ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", 0),
    ("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf", 0),
    ("/System/Library/Fonts/PingFang.ttc", 0),
    ("/System/Library/Fonts/STHeiti Light.ttc", 0),
    ("C:/Windows/Fonts/msyh.ttc", 0),
)
_LATIN_FONTS = (
    ("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 0),
    ("/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf", 0),
    ("/System/Library/Fonts/Helvetica.ttc", 0),
    ("C:/Windows/Fonts/arial.ttf", 0),
)
NO_CHINESE = (
    "No font with Chinese characters is installed here: the sheet is in English only. "
    "For both languages: sudo apt install fonts-noto-cjk, or --font FILE."
)

Font: TypeAlias = "ImageFont.FreeTypeFont | ImageFont.ImageFont"
Typeface: TypeAlias = tuple[str, int]
"""File and the number of the face in it."""


class SheetError(HardwareError):
    """The sheet cannot be drawn or written. The text says what to do."""


class Reading(NamedTuple):
    """What was read of a sheet: the sizes in mm, ascending, and whether the inverted code was among them."""

    sizes: tuple[float, ...]
    inverted: bool

    @property
    def smallest_mm(self) -> float | None:
        return self.sizes[0] if self.sizes else None

    @property
    def missed(self) -> tuple[float, ...]:
        """Larger ones that were not read: hidden, out of the picture, or in bad light."""
        sizes = (size_mm(dots) for dots in DOTS)
        return tuple(size for size in sizes if self.sizes and size > self.sizes[0] and size not in self.sizes)

    @property
    def reads_cards(self) -> bool:
        return self.smallest_mm is not None and self.smallest_mm <= size_mm(CARD_DOTS)


def size_mm(dots: int) -> float:
    """As the texts say it, in hundredths."""
    return round(dots * DOT_MM, 2)


def text_of(dots: int, inverted: bool = False) -> str:
    return f"SHEET {size_mm(dots):.2f} MM Q{' INVERTED' if inverted else ''}"


def reading(texts: Iterable[str]) -> Reading:
    """What the texts of one or more pictures say about the sheet in them; any other text is passed over. Pure."""
    found = [match for match in map(_TEXT.fullmatch, texts) if match]
    sizes = {float(match[1]) for match in found if not match[2]}
    known = sizes & {size_mm(dots) for dots in DOTS}
    return Reading(tuple(sorted(known)), any(match[2] for match in found))


def told(read: Reading) -> str:
    """A reading for people."""
    if read.smallest_mm is None:
        return "no code of the sheet was read" + (" but the inverted one" if read.inverted else "")
    card = f"{size_mm(CARD_DOTS):.2f} mm"
    cards = f"cards, {card}, are read" if read.reads_cards else f"not small enough: cards have {card}"
    missed = f"; larger ones not read: {', '.join(f'{size:.2f}' for size in read.missed)}" if read.missed else ""
    inverted = "read" if read.inverted else "not read"
    return f"smallest module read: {read.smallest_mm:.2f} mm ({cards}); inverted code: {inverted}{missed}"


# --- drawing --------------------------------------------------------------------------------------------------------


def draw(font: Path | None = None) -> tuple[Picture, bool]:
    """The sheet, 3508 x 2480, and whether it has Chinese on it. Raises SheetError where no font can be had."""
    chinese, typeface = _typeface(font)
    paper = Image.new("L", (_dots(PAPER_MM[0]), _dots(PAPER_MM[1])), 255)
    _write(ImageDraw.Draw(paper), typeface, chinese)
    for dots, place in _PLACES.items():
        _put(paper, code(dots), place)
    _put(paper, code(CARD_DOTS, inverted=True), _INVERTED_PLACE)
    _label(paper, typeface, chinese)
    _put(paper, _star(), (_STAR_CENTRE[0] - _STAR_RADIUS, _STAR_CENTRE[1] - _STAR_RADIUS))
    _greys(paper, typeface)
    _ruler(ImageDraw.Draw(paper), typeface)
    return np.asarray(paper), chinese


def code(dots: int, inverted: bool = False) -> Picture:
    """One code with its quiet zone, a module so many dots wide."""
    import segno

    made = segno.make(
        text_of(dots, inverted), version=VERSION, error=LEVEL, mode="alphanumeric", boost_error=False, micro=False
    )
    black = np.array([[module & 1 for module in row] for row in made.matrix_iter(border=QUIET_MODULES)], dtype=bool)
    modules = np.where(black ^ inverted, 0, 255).astype(np.uint8)
    return modules.repeat(dots, 0).repeat(dots, 1)


def _dots(mm: float) -> int:
    return round(mm / DOT_MM)


def _put(paper: Image.Image, picture: Picture, place_mm: tuple[float, float]) -> None:
    paper.paste(Image.fromarray(picture), (_dots(place_mm[0]), _dots(place_mm[1])))


def _star() -> Picture:
    """A Siemens star: its spokes melt into grey where the camera resolves them no more."""
    steps = np.arange(2 * _dots(_STAR_RADIUS)) + 0.5 - _dots(_STAR_RADIUS)
    x, y = np.meshgrid(steps, steps)
    black = (np.sin(_SPOKES * np.arctan2(y, x)) > 0) & (np.hypot(x, y) <= _dots(_STAR_RADIUS))
    return np.where(black, 0, 255).astype(np.uint8)


def _typeface(font: Path | None) -> tuple[bool, Typeface]:
    """Whether it has Chinese, and the first typeface that is there. Raises SheetError."""
    if font is not None:
        if not _opens((str(font), 0)):
            raise SheetError(f"{font} is no font that can be opened.")
        return _has_chinese((str(font), 0)), (str(font), 0)
    for chinese, faces in ((True, _CJK_FONTS), (False, _LATIN_FONTS)):
        for face in filter(_opens, faces):
            return chinese, face
    raise SheetError("No font was found. Install one (sudo apt install fonts-noto-cjk) or name one with --font FILE.")


def _opens(face: Typeface) -> bool:
    try:
        ImageFont.truetype(face[0], 20, index=face[1])
    except OSError:
        return False
    return True


def _has_chinese(face: Typeface) -> bool:
    """Two characters look different, which they do not where both are the box that stands for a missing one."""
    font = ImageFont.truetype(face[0], 40, index=face[1])
    return bytes(font.getmask("门")) != bytes(font.getmask("码"))


def _font(face: Typeface, mm: float) -> Font:
    return ImageFont.truetype(face[0], _dots(mm), index=face[1])


def _write(pen: ImageDraw.ImageDraw, face: Typeface, chinese: bool) -> None:
    """The title and what to do."""
    title = "  ".join(_TITLE) if chinese else _TITLE[1]
    pen.text((_dots(10), _dots(10)), title, fill=0, font=_font(face, 6))
    y = 21.0
    for number, (zh, en) in enumerate(_INSTRUCTIONS, start=1):
        if chinese:
            pen.text((_dots(10), _dots(y)), f"{number}. {zh}", fill=0, font=_font(face, 3.4))
        else:
            en = f"{number}. {en}"
        pen.text((_dots(10 if not chinese else 14), _dots(y + 4.4)), en, fill=0, font=_font(face, 2.9))
        y += 9.4


def _label(paper: Image.Image, face: Typeface, chinese: bool) -> None:
    """Each code's size under it."""
    pen, font = ImageDraw.Draw(paper), _font(face, 3)
    for dots, (left, top) in _PLACES.items():
        pen.text(_below(dots, left, top), f"{size_mm(dots):.2f} mm", fill=0, font=font, anchor="ma")
    words = " ".join(_INVERTED) if chinese else _INVERTED[1]
    below = _below(CARD_DOTS, *_INVERTED_PLACE)
    pen.text(below, f"{size_mm(CARD_DOTS):.2f} mm {words}", fill=0, font=font, anchor="ma")


def _below(dots: int, left: float, top: float) -> tuple[int, int]:
    side = dots * _MODULES
    return _dots(left) + side // 2, _dots(top) + side + _dots(0.4)


def _greys(paper: Image.Image, face: Typeface) -> None:
    """From black to white in equal steps; a thin frame shows where the white one ends."""
    pen, font = ImageDraw.Draw(paper), _font(face, 2.6)
    (left, top), (wide, high) = _GREY_PLACE, _GREY_MM
    for step in range(_GREYS):
        box = (_dots(left + step * wide), _dots(top), _dots(left + (step + 1) * wide), _dots(top + high))
        pen.rectangle(box, fill=round(255 * step / (_GREYS - 1)), outline=0)
        middle = ((box[0] + box[2]) // 2, box[3] + _dots(0.5))
        pen.text(middle, f"{round(100 * step / (_GREYS - 1))} %", fill=0, font=font, anchor="ma")


def _ruler(pen: ImageDraw.ImageDraw, face: Typeface) -> None:
    """Centimetres and millimetres, from the edge of the first line to the edge of the last."""
    left, top = _RULER_PLACE
    font = _font(face, 3)
    pen.line((_dots(left), _dots(top), _dots(left + 10 * RULER_CM), _dots(top)), fill=0, width=2)
    for mm in range(10 * RULER_CM + 1):
        high = 6.0 if mm % 10 == 0 else 4.5 if mm % 5 == 0 else 3.0
        x = _dots(left + mm)
        pen.line((x, _dots(top), x, _dots(top + high)), fill=0, width=2)
        if mm % 10 == 0:
            pen.text((x, _dots(top + 6.6)), f"{mm // 10}", fill=0, font=font, anchor="ma")
    pen.text((_dots(left + 10 * RULER_CM + 3), _dots(top + 6.6)), "cm", fill=0, font=font)


# --- files ----------------------------------------------------------------------------------------------------------


def save(sheet: Picture, path: Path) -> None:
    """As PDF or PNG, by the file's name, at its true size. Raises SheetError."""
    kind = path.suffix.lower()
    if kind not in (".pdf", ".png"):
        raise SheetError("The file's name must end in .pdf or .png.")
    try:
        if kind == ".pdf":
            path.write_bytes(pdf(sheet))
        else:
            Image.fromarray(sheet).save(path, dpi=(DPI, DPI))
    except OSError as err:
        raise SheetError(f"{path} cannot be written: {err.strerror or err}.") from err


def pdf(sheet: Picture) -> bytes:
    """One page of A4 with the picture on it, without loss (ISO 32000-1): Pillow would make a JPEG of it."""
    height, width = sheet.shape
    points = [mm / 25.4 * 72 for mm in PAPER_MM]
    shown = f"{points[0]:.4f} 0 0 {points[1]:.4f} 0 0 cm /I Do".encode()
    pixels = zlib.compress(sheet.tobytes(), 9)
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R /ViewerPreferences << /PrintScaling /None >> >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {points[0]:.4f} {points[1]:.4f}] /Contents 4 0 R "
        "/Resources << /XObject << /I 5 0 R >> >> >>".encode(),
        b"<< /Length %d >> stream\n%s\nendstream" % (len(shown), shown),
        b"<< /Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceGray /BitsPerComponent 8 "
        b"/Filter /FlateDecode /Length %d >> stream\n%s\nendstream" % (width, height, len(pixels), pixels),
    ]
    return _assembled(parts)


def _assembled(parts: Sequence[bytes]) -> bytes:
    """Objects 1, 2, 3 ... with their table of places; the first is the catalogue."""
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        places.append(len(out))
        out += b"%d 0 obj %s endobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(out))
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1) + table + end


def check(decoder: Decoder, paths: Iterable[Path]) -> tuple[Reading, list[str]]:
    """What a decoder reads of the sheet on photos, all of them together, and why some could not be looked at."""
    records = [scan_picture(decoder, path) for path in pictures(paths)]
    wrong = [f"{record['path']}: {record['error']}" for record in records if "error" in record]
    return reading(found["text"] for record in records for found in record["texts"]), wrong
