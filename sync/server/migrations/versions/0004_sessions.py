"""Sessions that their owner ended."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """A cookie that was signed out is good no longer, wherever it was copied to."""
    op.create_table(
        "ended_session",
        sa.Column("session_hash", sa.LargeBinary(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("session_hash"),
    )
