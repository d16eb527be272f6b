"""Opening a centre: store, vault and what listens to its commits, put together."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from pathlib import Path

from sync.server.centre.settings import Settings
from sync.server.centre.store import Store, sqlite_url
from sync.server.centre.vault import open_vault
from sync.server.centre.writing import Centre
from sync.server.passes.scopes import heed
from sync.server.people.keeping.sealing_old import seal_old

DATABASE = "centre.db"


def open_centre(settings: Settings) -> Centre:
    """The centre in a state folder, made if there is none, brought to the newest version: first the tables, then, with
    the key, what an older version did not seal.

    Raises StoreError or VaultError, in words for the person who runs it.
    """
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.state / DATABASE
    if not settings.database_url:
        _make_private(path)
    store = Store(settings.database_url or sqlite_url(path))
    try:
        vault = open_vault(settings.state, new=store.is_new() if settings.database_url else not path.stat().st_size)
        store.upgrade()
        seal_old(store, vault, settings.clock())
    except BaseException:
        store.close()
        raise
    centre = Centre(settings, store, vault)
    centre.listeners.append(partial(heed, centre))
    return centre


def _make_private(path: Path) -> None:
    """The database is its owner's, whatever the folder and the umask are; SQLite gives its log the same mode."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    for part in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + part).chmod(0o600)
