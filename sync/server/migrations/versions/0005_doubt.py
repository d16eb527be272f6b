"""Which applications are doubted, whence they came, and whose telephone is confirmed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Applications that are there already are doubted by nothing."""
    for name in ("doubt", "verified_ms", "released_ms", "code_version", "code_ms", "code_tries"):
        op.add_column("household", sa.Column(name, sa.BigInteger(), server_default="0", nullable=False))
    for name in ("signs", "browser_mark", "address_mark"):
        op.add_column("household", sa.Column(name, sa.Text(), server_default="", nullable=False))
    op.create_index("household_browser", "household", ["compound_id", "browser_mark"])
