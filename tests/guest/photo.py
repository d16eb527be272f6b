"""In the guest, as the guard process: has the reader's unit read a photo, and prints what it said."""

from __future__ import annotations

import io
import sys

import segno

from kiosk.channel import Client
from kiosk.verbs import PHOTO, Photo

TEXT = "HTTPS://EXAMPLE.ORG/A-GUARDS-PHOTO"

drawn = io.BytesIO()
segno.make(TEXT).save(drawn, kind="png", scale=8)
said = Client(sys.argv[1], 20.0).ask(PHOTO, Photo(drawn.getvalue()))
print(said)
sys.exit(said.texts != [TEXT])
