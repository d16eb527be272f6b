"""What a compound's lanes tell everybody who stands there."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0008"


def upgrade() -> None:
    """Empty: nothing was set."""
    op.add_column("compound", sa.Column("lane_screen", sa.Text(), nullable=False, server_default=""))
