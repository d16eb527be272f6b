"""Opening a centre: store, vault and what listens to its commits, put together."""

from __future__ import annotations

from functools import partial

from sync.server.centre.settings import Settings
from sync.server.centre.store import Store, sqlite_url
from sync.server.centre.vault import open_vault
from sync.server.centre.writing import Centre
from sync.server.passes.scopes import heed

DATABASE = "centre.db"


def open_centre(settings: Settings) -> Centre:
    """The centre in a state folder, made if there is none, brought to the newest version.

    Raises StoreError or VaultError, in words for the person who runs it.
    """
    settings.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.state / DATABASE
    store = Store(settings.database_url or sqlite_url(path))
    try:
        vault = open_vault(settings.state, new=store.is_new() if settings.database_url else not path.exists())
        store.upgrade()
    except BaseException:
        store.close()
        raise
    centre = Centre(settings, store, vault)
    centre.listeners.append(partial(heed, centre))
    return centre
