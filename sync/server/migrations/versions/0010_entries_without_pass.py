"""An index over the events of people whom guards let in without a pass of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Few events are of that kind; the index holds only those."""
    only = sa.text("kind = 'provisional'")
    op.create_index("event_provisional", "event", ["compound_id", "at_ms"], sqlite_where=only, postgresql_where=only)
