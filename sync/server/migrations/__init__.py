"""The database's versions. ``HEAD`` is the newest, so that a start need not load Alembic to see that all is well."""

HEAD = "0012"
