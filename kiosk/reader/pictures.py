"""Picture files to grey values. They are hostile: what is wrong with one is said, and nothing else happens."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from hardware import Picture

PHOTO_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF")
MOST_SCANS = 500
"""A camera's JPEG has one scan, a progressive one about ten. Each passes over the whole picture, however little it
says: the 140,000 that 4 MB can hold take four minutes."""


class PictureLimits(NamedTuple):
    """How large a picture file may be before it is looked at, and how many pixels it may unpack to."""

    bytes: int
    pixels: int


PHONE = PictureLimits(bytes=4_000_000, pixels=4096 * 3072)
"""A "12 megapixel" phone takes up to 4096 x 3072."""


class PictureError(Exception):
    """A file is not a picture we take. The text is for the person who chose it; another file may work."""


def load_picture(raw: bytes, limits: PictureLimits = PHONE) -> Picture:
    """The grey values of a picture file, upright. Transparent parts are white paper.

    Size and format are judged from the header, before any pixel is unpacked. Raises PictureError.
    """
    if len(raw) > limits.bytes:
        raise PictureError(f"the picture is larger than {limits.bytes / 1e6:.0f} MB")
    if raw[:2] == b"\xff\xd8" and raw.count(b"\xff\xda") > MOST_SCANS:
        raise PictureError("the picture is made of too many scans")
    too_large = f"the picture has more than {limits.pixels / 1e6:.0f} megapixels"
    try:
        with Image.open(io.BytesIO(raw), formats=PHOTO_FORMATS) as image:
            if image.width * image.height > limits.pixels:
                raise PictureError(too_large)
            image.draft("L", image.size)  # JPEG: unpack the luma only
            return _grey(_upright(image))
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as err:
        raise PictureError(too_large) from err
    except UnidentifiedImageError as err:
        raise PictureError(f"not a picture, or not one of {', '.join(PHOTO_FORMATS)}") from err
    except MemoryError as err:
        raise PictureError("the picture needs more memory than there is") from err
    except Exception as err:  # a damaged file makes Pillow raise nearly anything
        raise PictureError(f"the picture is damaged ({type(err).__name__})") from err


def _upright(image: Image.Image) -> Image.Image:
    image.load()  # first, and outside: a damaged picture must not pass for one with broken EXIF
    with suppress(Exception):  # broken EXIF is no reason to refuse: a code is read upside down as well
        return ImageOps.exif_transpose(image)
    return image


def _grey(image: Image.Image) -> Picture:
    if image.mode[0] in "IF":  # 16 or 32 bits a pixel: Pillow would clip where it should scale
        deep = np.nan_to_num(np.asarray(image, dtype=np.float32))
        return (deep * (255 / max(1.0, float(deep.max())))).clip(0, 255).astype(np.uint8)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        paper.alpha_composite(image)
        image = paper
    return np.array(image.convert("L"), dtype=np.uint8)
