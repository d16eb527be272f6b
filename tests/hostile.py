"""Pictures that somebody holds up, or sends as a photo, to trouble the reader. All of them are drawn from a seed.

``SIGHTS`` are what a camera may be shown; ``FILES`` are what may come as a guard's photo.
"""

from __future__ import annotations

import functools
import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import segno
from PIL import Image

from hardware import Picture

VGA = (1280, 720)
PHOTO = (4000, 3000)
ODD = ((1, 1), (2, 3), (1, 4096), (4096, 1), (7, 3001), (3001, 7), (65_000, 3), (3, 65_000), (33, 33), (641, 479))
"""Width and height."""

Size = tuple[int, int]
Sight = Callable[[np.random.Generator, Size], Picture]
FINDER = np.array([[255 * (max(abs(x), abs(y)) in (2, 4)) for x in range(-4, 5)] for y in range(-4, 5)], np.uint8)
"""Nine modules square: a finder pattern with its separator."""


def noise(draw: np.random.Generator, size: Size) -> Picture:
    return draw.integers(0, 256, (size[1], size[0]), np.uint8)


def faint_noise(draw: np.random.Generator, size: Size) -> Picture:
    return draw.normal(128, 6, (size[1], size[0])).clip(0, 255).astype(np.uint8)


def salt(draw: np.random.Generator, size: Size) -> Picture:
    share = draw.choice([0.001, 0.01, 0.1, 0.5])
    return np.where(draw.random((size[1], size[0]), np.float32) < share, 0, 255).astype(np.uint8)


def coarse_noise(draw: np.random.Generator, size: Size) -> Picture:
    """Black and white squares of 2 to 12 pixels: codes all over, none of them true."""
    side = int(draw.integers(2, 13))
    return grown(draw.integers(0, 2, (size[1] // side + 1, size[0] // side + 1), np.uint8) * 255, side, size)


def checks(draw: np.random.Generator, size: Size) -> Picture:
    side = int(draw.integers(1, 17))
    rows, columns = np.arange(size[1])[:, None] // side, np.arange(size[0]) // side
    return ((rows + columns) % 2 * 255).astype(np.uint8)


def stripes(draw: np.random.Generator, size: Size) -> Picture:
    """Bars in the proportion of a finder pattern, 1:1:3:1:1, across the whole picture, upright, lying or slanting."""
    step, slant = int(draw.integers(1, 9)), float(draw.choice([0.0, 0.0, 0.5, 1.0]))
    bars = np.array([0, 1, 0, 0, 0, 1, 0, 1, 1, 1], np.uint8) * 255
    at = (np.arange(size[0]) + slant * np.arange(size[1])[:, None]).astype(int) // step
    drawn = bars[at % len(bars)]
    return np.ascontiguousarray(drawn[:, ::-1]) if draw.random() < 0.5 else drawn


def rings(draw: np.random.Generator, size: Size) -> Picture:
    """Squares in squares: finder patterns nested in each other."""
    step = int(draw.integers(1, 9))
    rows, columns = np.abs(np.arange(size[1]) - size[1] // 2)[:, None], np.abs(np.arange(size[0]) - size[0] // 2)
    return (np.maximum(rows, columns) // step % 2 * 255).astype(np.uint8)


def grids(draw: np.random.Generator, size: Size) -> Picture:
    """Lines of one pixel to a few, in both directions."""
    step = int(draw.integers(2, 9))
    rows, columns = np.arange(size[1])[:, None] % step, np.arange(size[0]) % step
    return np.where((rows == 0) | (columns == 0), 0, 255).astype(np.uint8)


def finders(draw: np.random.Generator, size: Size) -> Picture:
    """Finder patterns side by side, as many as there is room for."""
    return tiled(np.kron(FINDER, np.ones((int(draw.integers(1, 7)),) * 2, np.uint8)), size)


def strewn_finders(draw: np.random.Generator, size: Size) -> Picture:
    """Finder patterns of many sizes in any place, over each other."""
    picture = np.full((size[1], size[0]), 255, np.uint8)
    for _ in range(int(draw.integers(50, 1500))):
        one = np.kron(FINDER, np.ones((int(draw.integers(1, 6)),) * 2, np.uint8))
        if one.shape[0] < size[1] and one.shape[1] < size[0]:
            y, x = draw.integers(0, size[1] - one.shape[0]), draw.integers(0, size[0] - one.shape[1])
            picture[y : y + one.shape[0], x : x + one.shape[1]] = one
    return picture


def many_codes(draw: np.random.Generator, size: Size) -> Picture:
    """One small true code, as often as there is room for it, in many texts."""
    codes = [code(str(draw.integers(0, 10**6)), int(draw.integers(1, 4)), border=2) for _ in range(4)]
    side = max(one.shape[0] for one in codes)
    row = np.hstack([np.pad(one, (0, side - one.shape[0]), constant_values=255)[:side, :side] for one in codes])
    return tiled(row, size)


def broken_codes(draw: np.random.Generator, size: Size) -> Picture:
    """True codes side by side whose modules are partly wrong: found everywhere, corrected nowhere."""
    one = code("G1" + "A" * 120, int(draw.integers(1, 4)))
    picture = tiled(one, size)
    wrong = grown(draw.random((size[1] // 3 + 1, size[0] // 3 + 1)) < 0.2, 3, size)
    return np.where(wrong, 255 - picture, picture).astype(np.uint8)


def huge_code(draw: np.random.Generator, size: Size) -> Picture:
    """Version 40, full of text."""
    return placed(
        np.kron(full_code(int(draw.integers(0, 3))), np.ones((max(1, min(size) // 190),) * 2, np.uint8)), size
    )


@functools.cache
def full_code(number: int) -> Picture:
    text = "".join(np.random.default_rng(number).choice(list("ABC123 $%*+-./:"), 1852))
    return code(text, 1, version=40, error="h")


def micro_codes(draw: np.random.Generator, size: Size) -> Picture:
    return tiled(code(str(draw.integers(0, 10**5)), int(draw.integers(1, 5)), micro=True), size)


def in_parts(draw: np.random.Generator, size: Size) -> Picture:
    """Structured append: four codes that say they are parts of one."""
    parts = segno.make_sequence("G1" + "B" * 400, symbol_count=4, error="m")
    return tiled(np.hstack([drawn(part, int(draw.integers(1, 4)), 4) for part in parts][:1]), size)


def strange_text(draw: np.random.Generator, size: Size) -> Picture:
    """Bytes of an encoding that is named wrongly, control characters, none at all, ends in the middle."""
    raw = bytes(draw.integers(0, 256, int(draw.integers(1, 200)), np.uint8))
    made = segno.make(raw, eci=False, mode="byte", error="l", micro=False)
    return placed(drawn(made, max(1, min(size) // 200), 4), size)


def ramps(draw: np.random.Generator, size: Size) -> Picture:
    """Every grey value beside every other: no threshold is right."""
    rows, columns = np.arange(size[1])[:, None], np.arange(size[0])
    return (rows * int(draw.integers(1, 60)) + columns * int(draw.integers(1, 60)) & 255).astype(np.uint8)


def circles(draw: np.random.Generator, size: Size) -> Picture:
    """A zone plate: every frequency in every direction."""
    rows, columns = np.arange(size[1])[:, None] - size[1] / 2, np.arange(size[0]) - size[0] / 2
    return (127.5 + 127.5 * np.cos((rows**2 + columns**2) * draw.uniform(0.0005, 0.01))).astype(np.uint8)


SIGHTS: dict[str, Sight] = {
    sight.__name__: sight
    for sight in (
        noise, faint_noise, salt, coarse_noise, checks, stripes, rings, grids, finders, strewn_finders, many_codes,
        broken_codes, huge_code, micro_codes, in_parts, strange_text, ramps, circles,
    )
}  # fmt: skip


def drawn(made: Any, scale: int, border: int) -> Picture:
    rows = [[255 * (1 - bit) for bit in row] for row in made.matrix_iter(scale=scale, border=border)]
    return np.array(rows, np.uint8)


def code(text: str, scale: int, border: int = 4, micro: bool = False, **make: Any) -> Picture:
    return drawn(segno.make(text, micro=micro, **make), scale, border)


def tiled(one: Picture, size: Size) -> Picture:
    rows, columns = -(-size[1] // one.shape[0]), -(-size[0] // one.shape[1])
    return np.ascontiguousarray(np.tile(one, (rows, columns))[: size[1], : size[0]])


def placed(one: Picture, size: Size) -> Picture:
    picture = np.full((size[1], size[0]), 255, np.uint8)
    part = one[: size[1], : size[0]]
    picture[: part.shape[0], : part.shape[1]] = part
    return picture


def grown(small: Any, side: int, size: Size) -> Any:
    return np.kron(small, np.ones((side, side), small.dtype))[: size[1], : size[0]]


# --- files ------------------------------------------------------------------------------------------------------------

File = Callable[[np.random.Generator], bytes]
KINDS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
MOST_BYTES = 4_000_000


def as_file(image: Image.Image, kind: str, **save: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **save)
    return file.getvalue()


def a_code(draw: np.random.Generator) -> Image.Image:
    return Image.fromarray(code("G1" + "A" * int(draw.integers(20, 120)), int(draw.integers(1, 5))))


def good(draw: np.random.Generator) -> bytes:
    """A good picture of any kind and mode: what the others are made of."""
    kind, mode = str(draw.choice(KINDS)), str(draw.choice(["1", "L", "P", "RGB", "RGBA", "LA", "CMYK", "I;16"]))
    try:
        return as_file(a_code(draw).convert(mode), kind)
    except (OSError, ValueError):  # not every kind has every mode
        return as_file(a_code(draw).convert("RGB"), kind)


def cut(draw: np.random.Generator) -> bytes:
    raw = good(draw)
    return raw[: int(draw.integers(0, len(raw)))]


def flipped(draw: np.random.Generator) -> bytes:
    raw = bytearray(good(draw))
    for _ in range(int(draw.integers(1, 30))):
        raw[int(draw.integers(0, len(raw)))] = int(draw.integers(0, 256))
    return bytes(raw)


def joined(draw: np.random.Generator) -> bytes:
    """One kind's head on another's body, or both behind each other."""
    one, other = good(draw), good(draw)
    return one[: int(draw.integers(4, len(one)))] + other[int(draw.integers(0, len(other))) :]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, *chunks: bytes, depth: int = 8, colour: int = 0, interlaced: int = 0) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def largest_png(draw: np.random.Generator) -> bytes:
    """As many pixels as are taken, in each sort of colour, 8 or 16 bits, interlaced or not, from a few bytes."""
    depth, colour, channels = [(8, 0, 1), (16, 0, 1), (8, 2, 3), (16, 2, 3), (8, 6, 4), (16, 6, 4), (16, 4, 2)][
        int(draw.integers(0, 7))
    ]
    rows = zlib.compress(bytes(3072 * (1 + 4096 * channels * depth // 8)), 9)
    return png(4096, 3072, chunk(b"IDAT", rows), depth=depth, colour=colour, interlaced=int(draw.integers(0, 2)))


def lying_png(draw: np.random.Generator) -> bytes:
    """Fewer rows than announced, or a hundred times more; lies about the size."""
    side = int(draw.choice([1, 16, 3000, 100_000, 2**31 - 1]))
    return png(side, int(draw.integers(0, 3000)), chunk(b"IDAT", zlib.compress(bytes(int(draw.integers(0, 10**8))), 9)))


def text_bomb(draw: np.random.Generator) -> bytes:
    """Megabytes of text, profile or EXIF that unpack to much more."""
    packed = zlib.compress(bytes(int(draw.integers(10**6, 2 * 10**8))), 9)
    kind, head = [(b"zTXt", b"k\0\0"), (b"iCCP", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0")][int(draw.integers(0, 3))]
    row = chunk(b"IDAT", zlib.compress(bytes(9 * 8), 9))
    return png(8, 8, *[chunk(kind, head + packed)] * int(draw.integers(1, 8)), row)


def film(draw: np.random.Generator) -> bytes:
    """Hundreds of frames, as GIF, WebP or PNG."""
    kind, count = str(draw.choice(["GIF", "WEBP", "PNG"])), int(draw.integers(2, 200))
    frames = [Image.fromarray(draw.integers(0, 256, (16, 16), np.uint8)) for _ in range(count)]
    return as_file(frames[0], kind, save_all=True, append_images=frames[1:], duration=1, loop=0)


def large_gif(draw: np.random.Generator) -> bytes:
    """A screen as large as is taken, its one frame larger or elsewhere."""
    raw = bytearray(as_file(a_code(draw).convert("P"), "GIF"))
    raw[6:10] = struct.pack("<HH", 4096, 3072)
    at = raw.find(b"\x2c")
    raw[at + 1 : at + 9] = draw.integers(0, 256, 8, np.uint8).tobytes()
    return bytes(raw)


def turned(draw: np.random.Generator) -> bytes:
    """EXIF that is strange: another orientation, none, loops, nonsense; in PNG, JPEG and WebP."""
    exif = Image.Exif()
    exif[0x0112] = int(draw.integers(0, 12))
    raw = bytearray(exif.tobytes())
    for _ in range(int(draw.integers(0, 6))):
        raw[int(draw.integers(6, len(raw)))] = int(draw.integers(0, 256))
    return as_file(a_code(draw), str(draw.choice(["PNG", "JPEG", "WEBP"])), exif=bytes(raw))


def bmp(draw: np.random.Generator) -> bytes:
    """Upside down, run-length packed, with masks, palettes and offsets that are not true."""
    raw = bytearray(as_file(a_code(draw), "BMP"))
    at = int(draw.choice([10, 14, 18, 22, 24, 26, 28, 30, 46]))
    raw[at : at + 4] = struct.pack("<i", int(draw.choice([-1, 0, 1, 2, 3, 4, 8, 16, 32, -3000, 3000, 2**31 - 1])))
    return bytes(raw)


def deep(draw: np.random.Generator) -> bytes:
    """16 bits a pixel and large, or transparent and large: what is unpacked more than once."""
    mode = str(draw.choice(["I;16", "RGBA", "LA", "PA"]))
    image = Image.new("L", (4000, 3000), 60)
    if mode == "PA":
        return as_file(image.convert("P"), "PNG", transparency=bytes(range(256)))
    return as_file(image.convert(mode), "PNG")


def slow_jpeg(scans: int = 100_000, size: Size = (4096, 3072)) -> bytes:
    """A progressive JPEG in which one refinement, true but empty, comes again and again: as each passes over every
    block of the picture, a file of 4 MB keeps a decoder busy for minutes."""
    raw = as_file(Image.new("L", size, 255), "JPEG", progressive=True)
    starts = [at for at in range(len(raw) - 1) if raw[at : at + 2] == b"\xff\xda"]
    again = raw[starts[1] : raw.index(b"\xff\xc4", starts[1])]
    most = (MOST_BYTES - len(raw)) // len(again)
    return raw[: starts[1]] + again * min(scans, most) + raw[starts[1] :]


FILES: dict[str, File] = {
    file.__name__: file
    for file in (
        good, cut, flipped, joined, largest_png, lying_png, text_bomb, film, large_gif, turned, bmp, deep,
    )
}  # fmt: skip
