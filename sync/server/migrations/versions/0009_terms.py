"""A pass's own terms, and why a guard shall look twice."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Empty: no terms of its own, and no reason told."""
    for column in ("terms", "look"):
        op.add_column("pass", sa.Column(column, sa.Text(), nullable=False, server_default=""))
