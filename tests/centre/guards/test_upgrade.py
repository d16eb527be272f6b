"""A centre of an earlier version comes to this one with its guards."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from sync.server.centre.settings import Settings
from sync.server.centre.store import Store, sqlite_url
from sync.server.centre.vault import open_vault
from sync.server.gates import guards
from sync.server.migrations import HEAD
from sync.server.opening import DATABASE, open_centre

COMPOUND = (
    "INSERT INTO compound (compound_id, name_zh, name_en, timezone, epoch, root_public, sealed_root_seed, "
    "sealed_code_key, rules, created_ms) VALUES (7, '翠湖', 'Cuihu', 'Asia/Shanghai', 'e', x'', x'', x'', '{}', 0)"
)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "sync.server:migrations")
    return config


def test_head_names_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(_config()).get_current_head() == HEAD


def test_guards_of_before_go_on_at_every_gate_and_count_as_held_everywhere(tmp_path: Path) -> None:
    before = ScriptDirectory.from_config(_config()).get_revision("0007").down_revision
    vault = open_vault(tmp_path, new=True)
    store, config = Store(sqlite_url(tmp_path / DATABASE)), _config()
    with store.write() as conn:
        config.attributes["connection"] = conn
        command.upgrade(config, str(before))
    store.close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as conn, conn:
        conn.execute(COMPOUND)
        sealed = vault.seal(b"$argon2id$v=19$m=16384,t=3,p=1$AAAA$BBBB")
        conn.execute("INSERT INTO guard VALUES (7, 'a1', '赵敏', 'supervisor', 1, ?)", (sealed,))
    centre = open_centre(Settings(state=tmp_path, watch=False))
    (guard,) = guards.list_guards(centre, 7)
    assert (guard.gates, guard.active, guard.pin) == ([], True, "short")
    with centre.store.read() as conn:
        assert [row.account for row in guards.exposed(conn, 7, ["d1"])] == ["a1"]
    centre.close()
