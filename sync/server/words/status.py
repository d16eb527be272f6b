"""What a household's status page and the phone pass say."""

from __future__ import annotations

from collections.abc import Mapping

from sync.server.words.pairs import Pair

WORDS: Mapping[str, Pair] = {}
