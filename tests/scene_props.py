"""What is held before the camera: passes as the centre sizes them on cards and phones, posters and other print.

A sheet's picture is linear light, 1.0 an ideal white; its origin is the middle of the code.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

import numpy as np
import segno
import zxingcpp
from PIL import Image, ImageDraw, ImageFilter

from sync.credential import Credential, sign_credential
from tests.scene_camera import Floats, Sheet, grown

CARD_CODE_MM = 32
"""As the office prints a card; drawn here on its own, so that one year's figures compare with the next one's."""
PAPER, INK, BLACK_GLASS = 0.8, 0.05, 0.02
MODULE = 10
"""Pixels of a sheet's picture to a module of its code."""
TAG_URLS = ("https://weixin.qq.com/r/{}", "https://u.wechat.com/{}", "HTTPS://T.CN/{}", "https://example.org/form?c={}")
Bits = np.ndarray


@dataclass
class Code:
    """A QR code: its text, its modules (True: dark) and how wide one is where it is shown."""

    text: str
    bits: Bits
    module_mm: float

    @property
    def side_mm(self) -> float:
        return len(self.bits) * self.module_mm


def bits_of(code: segno.QRCode) -> Bits:
    return np.array([list(row) for row in code.matrix], dtype=np.uint8) & 1 > 0


def credential(rng: np.random.Generator, medium: str = "card") -> str:
    """A freshly signed credential, 122 characters; a phone's with its digits, 131."""
    body = Credential(
        kind="resident", medium="phone" if medium == "phone" else "card", key_id=int(rng.integers(1, 4)),
        scope=int(rng.integers(1, 5000)), serial=int(rng.integers(1, 60_000)),
        not_before_step=int(rng.integers(200_000, 400_000)), validity_hours=int(rng.integers(24, 9000)),
        random=int(rng.integers(1 << 16)),
    )  # fmt: skip
    text = sign_credential(body, rng.bytes(32))
    return f"{text}.{rng.integers(10**8):08d}" if medium == "phone" else text


def card_code(rng: np.random.Generator) -> Code:
    text = credential(rng)
    bits = bits_of(segno.make(text, error="q", boost_error=False, micro=False))
    return Code(text, bits, CARD_CODE_MM / len(bits))


def phone_code(rng: np.random.Generator) -> Code:
    text = credential(rng, "phone")
    bits = bits_of(segno.make(text, version=6, error="m", mode="alphanumeric", boost_error=False, micro=False))
    return Code(text, bits, rng.uniform(42, 56) / len(bits))


def other_code(rng: np.random.Generator, low: int = 2, high: int = 12, side_mm: float = 0.0) -> Code:
    """Any text at any error level, of a version between the two."""
    version, error = int(rng.integers(low, high + 1)), str(rng.choice(list("LMQH")))
    letters = np.array(list(string.ascii_letters + string.digits))
    length = max(4, int((4 * version + 17) ** 2 / {"L": 13, "M": 16, "Q": 22, "H": 28}[error]) - 30)
    text = str(rng.choice(TAG_URLS)).format("".join(rng.choice(letters, length)))
    for cut in range(len(text) // 4):
        try:
            code = segno.make(text[: len(text) - 4 * cut], version=version, error=error, boost_error=False, micro=False)
        except segno.DataOverflowError:
            continue
        bits = bits_of(code)
        return Code(text[: len(text) - 4 * cut], bits, (side_mm or rng.uniform(28, 45)) / len(bits))
    return other_code(rng, low + 1, max(high, low + 1), side_mm)


def plate(bits: Bits, quiet: int = 4, dark: float = INK, light: float = PAPER) -> Floats:
    """The code with its quiet zone, ``MODULE`` pixels to a module."""
    framed = np.pad(bits, quiet)
    return np.kron(np.where(framed, dark, light), np.ones((MODULE, MODULE))).astype(np.float32)


class Canvas:
    """A sheet under way: a picture in mm, painted on with Pillow, values of linear light."""

    def __init__(self, width_mm: float, height_mm: float, per_mm: float, ground: float = PAPER) -> None:
        self.per_mm = per_mm
        self.image = Image.new("F", (round(width_mm * per_mm), round(height_mm * per_mm)), ground)
        self.pen = ImageDraw.Draw(self.image)

    def box(self, x: float, y: float, width: float, height: float, value: float, round_mm: float = 0.0) -> None:
        s = self.per_mm
        self.pen.rounded_rectangle((x * s, y * s, (x + width) * s, (y + height) * s), round_mm * s, fill=value)

    def put(self, picture: Floats, x: float, y: float) -> None:
        self.image.paste(Image.fromarray(picture), (round(x * self.per_mm), round(y * self.per_mm)))

    def glyphs(self, rng: np.random.Generator, x: float, y: float, width: float, size: float, ink: float = INK) -> None:
        """A line of strokes that look like writing, whatever fonts a machine has."""
        s = self.per_mm
        thick = max(1, round(size * s / 9))
        while x < width:
            for _ in range(int(rng.integers(3, 7))):
                (x0, x1), (y0, y1) = np.sort(rng.uniform(0, 0.85, 2)), rng.uniform(0, 1, 2)
                ends = (
                    (x0, y0, x1, y0)
                    if rng.random() < 0.45
                    else (x0, y0, x0, y1)
                    if rng.random() < 0.7
                    else (x0, y0, x1, y1)
                )
                self.pen.line([(x + ends[0] * size) * s, (y + ends[1] * size) * s,
                               (x + ends[2] * size) * s, (y + ends[3] * size) * s], fill=ink, width=thick)  # fmt: skip
            x += size * (1.0 if rng.random() < 0.92 else 1.8)

    def sheet(self, x: float, y: float) -> Sheet:
        return Sheet(np.asarray(self.image, dtype=np.float32).copy(), self.per_mm, (x * self.per_mm, y * self.per_mm))


def card_sheet(rng: np.random.Generator, code: Code, *, beside: Floats | None = None) -> Sheet:
    """A card of 86 x 54 mm as the office prints it, or as wide as its code asks; ``beside``: another code's picture."""
    quiet = 4 * code.module_mm
    height = max(54.0, code.side_mm + 2 * quiet + 6)
    canvas = Canvas(max(86.0, code.side_mm + 2 * quiet + 36), height, MODULE / code.module_mm, PAPER)
    canvas.box(0, 0, 400, 5.5, rng.uniform(0.1, 0.4))
    left, top = canvas.image.width / canvas.per_mm - code.side_mm - 2 * quiet - 2, height - code.side_mm - 2 * quiet
    canvas.put(plate(code.bits), left, top)
    for line in range(5):
        canvas.glyphs(rng, 4, 10 + line * 7.0, left - 2 - rng.uniform(0, 14), 3.4 if line else 5.0)
    if beside is not None:
        room = int((left - 4) * canvas.per_mm)
        canvas.put(beside[:, :room], 2, height - beside.shape[0] / canvas.per_mm - 3)
    return canvas.sheet(left + quiet + code.side_mm / 2, top + quiet + code.side_mm / 2)


def phone_sheet(rng: np.random.Generator, code: Code, *, dark_mode: bool = False, leak: float = 0.004) -> Sheet:
    """A phone of 72 x 150 mm with the pass's page; the screen's white is 1. Dark mode: a light code on black."""
    ground, ink = (0.02, 0.9) if dark_mode else (1.0, 0.01)
    canvas = Canvas(72, 150, MODULE / code.module_mm, BLACK_GLASS)
    canvas.box(3, 6, 66, 138, max(ground, leak), 4)
    quiet = 4 * code.module_mm
    side = code.side_mm + 2 * quiet
    left, top = 36 - side / 2, rng.uniform(28, 40)
    lit = (0.9, 0.02) if dark_mode else (max(leak, 0.004), 1.0)
    canvas.put(plate(code.bits, 1 if dark_mode else 4, *lit), left + (3 * code.module_mm if dark_mode else 0),
               top + (3 * code.module_mm if dark_mode else 0))  # fmt: skip
    canvas.glyphs(rng, 8, 10, 40, 3.0, ink)
    canvas.glyphs(rng, 14, 18, 58, 5.5, ink)
    for line in range(3):
        canvas.glyphs(rng, 10, top + side + 6 + line * 8, 62 - rng.uniform(0, 25), 4.0, ink)
    return canvas.sheet(36, top + side / 2)


def poster_sheet(rng: np.random.Generator, code: Code) -> Sheet:
    """A poster on a wall with the compound's form behind its code."""
    canvas = Canvas(260, 320, MODULE / code.module_mm, rng.uniform(0.5, 0.8))
    for line in range(6):
        canvas.glyphs(rng, 20, 20 + line * 17, 240 - rng.uniform(0, 60), 11 if line else 18)
    side = code.side_mm + 8 * code.module_mm
    canvas.put(plate(code.bits), 130 - side / 2, 150)
    return canvas.sheet(130, 150 + side / 2)


def barcode(kind: str, text: str, module_mm: float, per_mm: float) -> Floats:
    """Another symbology, drawn by zxing-cpp, as a picture at ``per_mm``."""
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    small = np.asarray(zxingcpp.write_barcode_to_image(made, scale=1, add_quiet_zones=True)) > 127
    scale = max(1, round(module_mm * per_mm))
    return np.kron(np.where(small, PAPER, INK), np.ones((scale, scale))).astype(np.float32)


def patches(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Floats:
    """A smooth random field, standard normal, that changes over ``cell`` pixels."""
    coarse = rng.standard_normal((max(3, int(shape[0] / cell) + 3), max(3, int(shape[1] / cell) + 3)))
    image = Image.fromarray(coarse.astype(np.float32)).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32)


def lane(rng: np.random.Generator, level: float = 0.25) -> Floats:
    """A lane behind the hand, out of focus: ground, walls, railings, people; mean about ``level``."""
    height, width = 180, 320
    picture = Image.fromarray((60 + 25 * patches(rng, (height, width), 60)).clip(8, 200).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    horizon = int(rng.uniform(50, 110))
    pen.rectangle((0, horizon, width, height), fill=int(rng.integers(40, 110)))
    for _ in range(int(rng.integers(4, 12))):  # walls, doors, cars
        x, y = rng.uniform(-40, width), rng.uniform(0, height)
        pen.rectangle((x, y, x + rng.uniform(10, 110), y + rng.uniform(8, 80)), fill=int(rng.integers(10, 170)))
    for x in range(0, width, int(rng.integers(7, 22))) if rng.random() < 0.4 else ():
        pen.line((x, horizon - 20, x, horizon + 30), fill=int(rng.integers(5, 200)), width=2)
    if rng.random() < 0.7:  # whoever holds it
        x, y, size = rng.uniform(60, 260), rng.uniform(20, 70), rng.uniform(25, 45)
        pen.ellipse((x - size / 2, y - size, x + size / 2, y + size / 2), fill=int(rng.integers(60, 140)))
        pen.ellipse((x - 1.6 * size, y + size / 2, x + 1.6 * size, y + 6 * size), fill=int(rng.integers(8, 90)))
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 2.0)))
    light = ((np.asarray(picture, dtype=np.float32) / 255) ** 1.6).astype(np.float32)
    return grown((light * (level / light.mean())).astype(np.float32), (720, 1280))
