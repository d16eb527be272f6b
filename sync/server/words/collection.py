"""What the collection desk and what is printed say."""

from __future__ import annotations

from collections.abc import Mapping

from sync.server.words.pairs import Pair

WORDS: Mapping[str, Pair] = {}
