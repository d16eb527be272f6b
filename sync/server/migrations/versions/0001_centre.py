"""The centre, first form."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "compound",
        sa.Column("compound_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("pruned_revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("root_public", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_root_seed", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_code_key", sa.LargeBinary(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("compound_id"),
    )
    op.create_table(
        "staff",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), server_default="", nullable=False),
        sa.Column("link_hash", sa.LargeBinary(), nullable=False),
        sa.Column("link_ends_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("everywhere", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "audit",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("audit_id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "audit_id"),
    )
    op.create_index("audit_at", "audit", ["compound_id", "at_ms"], unique=False)
    op.create_table(
        "counter",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "name"),
    )
    op.create_table(
        "event",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("scope", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "device_id", "journal_id", "seq"),
    )
    op.create_index("event_at", "event", ["compound_id", "device_id", "at_ms"], unique=False)
    op.create_table(
        "gate",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("neighbour_zh", sa.Text(), server_default="", nullable=False),
        sa.Column("neighbour_en", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "gate_id"),
        sa.UniqueConstraint("compound_id", "name"),
    )
    op.create_table(
        "guard",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("sealed_verifier", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "account"),
        sa.UniqueConstraint("compound_id", "name"),
    )
    op.create_table(
        "journal",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("acked", sa.BigInteger(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("breaks", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "device_id", "journal_id"),
    )
    op.create_table(
        "pass",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("pass_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("valid_from_ms", sa.BigInteger(), nullable=False),
        sa.Column("valid_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.Text(), server_default="", nullable=False),
        sa.Column("dwelling", sa.Text(), server_default="", nullable=False),
        sa.Column("plate", sa.Text(), server_default="", nullable=False),
        sa.Column("short_code", sa.Text(), nullable=False),
        sa.Column("household", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("attention", sa.Boolean(), nullable=False),
        sa.Column("lanes", sa.Text(), server_default="", nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "pass_id"),
        sa.UniqueConstraint("compound_id", "number"),
        sa.UniqueConstraint("compound_id", "short_code"),
    )
    op.create_index("pass_dwelling", "pass", ["compound_id", "dwelling"], unique=False)
    op.create_index("pass_plate", "pass", ["compound_id", "plate"], unique=False)
    op.create_table(
        "quarantine",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("journal_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "device_id", "journal_id", "seq"),
    )
    op.create_table(
        "signed_change",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("item", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("must", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "purpose", "item"),
    )
    op.create_index("signed_change_revision", "signed_change", ["compound_id", "revision"], unique=False)
    op.create_table(
        "signing_key",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_seed", sa.LargeBinary(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "scope", "key_id"),
    )
    op.create_table(
        "staff_compound",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account"],
            ["staff.account"],
        ),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "account"),
    )
    op.create_index("staff_compound_account", "staff_compound", ["account"], unique=False)
    op.create_table(
        "credential",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.BigInteger(), nullable=False),
        sa.Column("pass_id", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("medium", sa.Text(), nullable=False),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("not_before_step", sa.BigInteger(), nullable=False),
        sa.Column("validity_hours", sa.BigInteger(), nullable=False),
        sa.Column("random", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id", "pass_id"],
            ["pass.compound_id", "pass.pass_id"],
        ),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "scope", "serial"),
    )
    op.create_index("credential_pass", "credential", ["compound_id", "pass_id"], unique=False)
    op.create_index("credential_revision", "credential", ["compound_id", "revision"], unique=False)
    op.create_table(
        "device",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("box_public", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("enrolled_ms", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("seen_epoch", sa.Text(), server_default="", nullable=False),
        sa.Column("seen_revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id", "gate_id"],
            ["gate.compound_id", "gate.gate_id"],
        ),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "device_id"),
    )
    op.create_index("device_gate", "device", ["compound_id", "gate_id"], unique=False)
    op.create_table(
        "enrolment",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("gate_id", sa.Text(), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.Column("device_id", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["compound_id", "gate_id"],
            ["gate.compound_id", "gate.gate_id"],
        ),
        sa.ForeignKeyConstraint(
            ["compound_id"],
            ["compound.compound_id"],
        ),
        sa.PrimaryKeyConstraint("compound_id", "secret_hash"),
    )
    op.create_index("enrolment_secret", "enrolment", ["secret_hash"], unique=False)
