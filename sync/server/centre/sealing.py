"""Columns that stand sealed, each value bound to its row: a stranger who can write the database cannot make one
household's answer another's.

A sealed column is called ``sealed_*``. Its place is the table, the column, the row's key and, where the row has one,
its household. Rows are opened where they become objects; a connection of the store knows the vault for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, cast

from sqlalchemy import Connection, Table

from sync.server.centre.vault import Vault

RowValues = Mapping[Any, Any]
"""Columns of a row by their names, as a dict or as the database gives it."""
_BEFORE = "sealed_"
_USUAL = 64
_LEAST = {
    "sealed_birth": 16, "sealed_phone": 32, "sealed_doc": 32, "sealed_warnings": 128, "sealed_travel": 256,
    "sealed_told": 256, "sealed_objection": 256, "sealed_words": 512,
}  # fmt: skip
"""Bytes to which a value is padded at least: answers of few possible contents are all of one length."""
_AS_LONG_AS_IT_IS = ("sealed_signature", "sealed_body", "sealed_rows")


def vault_of(conn: Connection) -> Vault:
    """The vault of the centre whose store gave this connection."""
    return cast(Vault, conn.get_execution_options()["vault"])


def seal(vault: Vault, table: Table, row: RowValues, column: str, secret: bytes) -> bytes:
    """Seal a value of a sealed column; of ``row`` only the key is read. Empty for an empty one."""
    least = 0 if column in _AS_LONG_AS_IT_IS else _LEAST.get(column, _USUAL)
    return vault.seal_at(_place(table, row, column), secret, least) if secret else b""


def unseal(vault: Vault, table: Table, row: RowValues, column: str) -> bytes:
    """Raises VaultError for what was not sealed there."""
    sealed = row[column]
    return vault.unseal_at(_place(table, row, column), sealed) if sealed else b""


def seal_words(vault: Vault, table: Table, row: RowValues, **words: str) -> dict[str, bytes]:
    """``told="…"`` becomes the value of the column ``sealed_told``."""
    return {
        f"{_BEFORE}{name}": seal(vault, table, row, f"{_BEFORE}{name}", text.encode()) for name, text in words.items()
    }


def open_words(vault: Vault, table: Table, row: RowValues, *names: str) -> dict[str, str]:
    """``told`` out of the column ``sealed_told``. Raises VaultError."""
    return {name: unseal(vault, table, row, f"{_BEFORE}{name}").decode() for name in names}


@cache
def key_of(table: Table) -> tuple[str, ...]:
    """The columns that a row's sealed values are bound to."""
    names = tuple(column.name for column in table.primary_key.columns)
    return (*names, "household_id") if "household_id" in table.c and "household_id" not in names else names


def _place(table: Table, row: RowValues, column: str) -> str:
    parts = (row[name] for name in key_of(table))
    return "/".join((table.name, column, *(part.hex() if isinstance(part, bytes) else str(part) for part in parts)))
