"""What a compound's lanes tell everybody who stands there."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Empty: nothing was set."""
    op.add_column("compound", sa.Column("lane_screen", sa.Text(), nullable=False, server_default=""))
