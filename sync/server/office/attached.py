"""A file made for one answer: sent in pieces, and gone afterwards, however the answer ends."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO

from flask import Response

from sync.server.people.sheets import XLSX

_PIECE_BYTES = 1 << 16


def attached(file: IO[bytes], name: str) -> Response:
    """The answer that carries an ``.xlsx``, which stands at its beginning, under a name of ASCII letters."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    pieces = _pieces(file)
    next(pieces)
    answer = Response(pieces, mimetype=XLSX)
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    answer.content_length = size
    return answer


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    """The first is empty, so that one that was begun and dropped closes the file, too."""
    with file:
        yield b""
        while piece := file.read(_PIECE_BYTES):
            yield piece
