"""The order of epochs, which the root key signs."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0004"


def upgrade() -> None:
    """0: the epoch in force has none yet, and gets the first with the next change of its compound."""
    for table in ("compound", "cursor_ahead"):
        op.add_column(table, sa.Column("epoch_order", sa.BigInteger(), nullable=False, server_default="0"))
