"""Passes to present at a simulated gate: a folder of pictures, and phone passes drawn at the moment of showing."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import msgspec
import pyotp

INDEX = "index.json"

log = logging.getLogger("guard")


class PhonePass(msgspec.Struct, frozen=True):
    """The fixed text of a phone credential, and the base32 secret of its digits."""

    text: str
    secret: str


class DemoPass(msgspec.Struct, frozen=True):
    """One tile of the page. A phone pass is drawn when shown; ``file`` then is only its tile."""

    file: str
    title_zh: str
    title_en: str
    phone: PhonePass | None = None

    def title(self, language: str) -> str:
        return self.title_en if language == "en" else self.title_zh


def demo_passes(folder: Path | None) -> list[DemoPass]:
    """The passes listed in the folder's index whose picture is there; empty where there is no index yet."""
    if folder is None or not (folder / INDEX).is_file():
        return []
    try:
        listed = msgspec.json.decode((folder / INDEX).read_bytes(), type=list[DemoPass])
    except msgspec.MsgspecError as err:
        log.warning("guard=demo_passes file=%s why=%r", INDEX, str(err))
        return []
    return [demo for demo in listed if Path(demo.file).name == demo.file and (folder / demo.file).is_file()]


def picture(demo: DemoPass, folder: Path, now_s: float) -> bytes:
    """The PNG to hold before the camera. ``now_s`` is the time, in seconds since 1970, that the digits are of."""
    if demo.phone is None:
        return (folder / demo.file).read_bytes()
    digits = pyotp.TOTP(demo.phone.secret, digits=8, interval=30).at(int(now_s))
    return draw(f"{demo.phone.text}.{digits}")


def draw(text: str, error: str = "q") -> bytes:
    """A QR code as a PNG with its quiet zone, at ECC Q as a card and a phone's page show it."""
    import segno  # where something is drawn, and nowhere else

    drawn = io.BytesIO()
    segno.make_qr(text, error=error, boost_error=False).save(drawn, kind="png", scale=6, border=4)
    return drawn.getvalue()
