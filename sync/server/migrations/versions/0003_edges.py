"""Two devices with one identity, and a centre restored without telling: what is known of both."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Journals get branches, one for each copy of a device; compounds may wait for a new epoch."""
    op.add_column("compound", sa.Column("restored_ms", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("device", sa.Column("settled_ms", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("enrolment", sa.Column("settles", sa.Text(), server_default="", nullable=False))
    op.add_column("journal", sa.Column("branch_of", sa.Text(), server_default="", nullable=False))
    op.add_column("journal", sa.Column("begins", sa.BigInteger(), server_default="1", nullable=False))
    op.add_column("journal", sa.Column("address", sa.Text(), server_default="", nullable=False))
    op.add_column("compound", sa.Column("life", sa.Text(), server_default="", nullable=False))
    op.create_table(
        "past_life",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("life", sa.Text(), nullable=False),
        sa.Column("ends", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "life"),
    )
    op.create_table(
        "cursor_ahead",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("behind", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "device_id"),
    )
