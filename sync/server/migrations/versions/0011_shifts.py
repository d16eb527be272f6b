"""Shifts, overrides beyond the budget, and annulled acts are found among the events."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


FEW = {
    "event_shift": "kind = 'shift'",
    "event_over_budget": "reason = 'over_budget'",
    "event_annulled": "kind = 'annulled'",
}


def upgrade() -> None:
    """Three small indexes: each holds only the rows it is for."""
    for name, kept in FEW.items():
        where = sa.text(kept)
        op.create_index(name, "event", ["compound_id", "at_ms"], sqlite_where=where, postgresql_where=where)
