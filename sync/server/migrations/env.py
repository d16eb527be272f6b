"""Alembic's entry: runs inside the connection and the transaction the store gives it."""

from alembic import context

from sync.server.centre.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
