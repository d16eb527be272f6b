"""A pass's own terms, why a guard shall look twice, and which lanes a gate has."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Empty: no terms of its own, no reason told, and a gate that has not told its lanes."""
    for table, column in (("pass", "terms"), ("pass", "look"), ("gate", "lanes")):
        op.add_column(table, sa.Column(column, sa.Text(), nullable=False, server_default=""))
