"""Guards: at which gates an account works, where its PIN's verifier lies, and whether a theft withdrew it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Accounts go on at every gate. Of what was made before only this is known: its verifier may lie at any of them."""
    for name in ("gates", "held_at", "stolen_gate"):
        op.add_column("guard", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.add_column("guard", sa.Column("pin_digits", sa.BigInteger(), server_default="0", nullable=False))
    op.execute("UPDATE guard SET held_at = '*'")
