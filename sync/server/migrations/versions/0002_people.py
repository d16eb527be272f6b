"""Who lives here: dwellings, households, people, their passes' collection, and what is recorded of it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the new tables; accounts get a role: one that saw every compound is of the town."""
    op.add_column("compound", sa.Column("community_zh", sa.Text(), server_default="", nullable=False))
    op.add_column("compound", sa.Column("community_en", sa.Text(), server_default="", nullable=False))
    op.add_column("compound", sa.Column("office_phone", sa.Text(), server_default="", nullable=False))
    op.add_column("compound", sa.Column("wide", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("pass", sa.Column("home", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("audit", sa.Column("household", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("audit", sa.Column("why", sa.Text(), server_default="", nullable=False))
    op.add_column("staff", sa.Column("role", sa.Text(), server_default="property", nullable=False))
    op.execute("UPDATE staff SET role = 'town' WHERE everywhere")
    op.create_index("event_serial", "event", ["compound_id", "scope", "serial", "at_ms"], unique=False)
    op.create_index("audit_household", "audit", ["compound_id", "household", "at_ms"], unique=False)
    op.create_table(
        "dwelling",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("dwelling_id", sa.BigInteger(), nullable=False),
        sa.Column("building", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), server_default="", nullable=False),
        sa.Column("floor", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("room", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), server_default="", nullable=False),
        sa.Column("found_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("proposed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "dwelling_id"),
        sa.UniqueConstraint("compound_id", "building", "unit", "room"),
    )
    op.create_index("dwelling_name", "dwelling", ["compound_id", "name"], unique=False)
    op.create_index("dwelling_place", "dwelling", ["compound_id", "place"], unique=False)
    op.create_table(
        "visit",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("dwelling_id", sa.BigInteger(), nullable=False),
        sa.Column("visit_id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.ForeignKeyConstraint(["compound_id", "dwelling_id"], ["dwelling.compound_id", "dwelling.dwelling_id"]),
        sa.PrimaryKeyConstraint("compound_id", "dwelling_id", "visit_id"),
    )
    op.create_table(
        "household",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("dwelling_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("dwelling", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("link_version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("link_mark", sa.LargeBinary(), nullable=False),
        sa.Column("phone_mark", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_phone", sa.LargeBinary(), nullable=False),
        sa.Column("phone_masked", sa.Text(), server_default="", nullable=False),
        sa.Column("submitted_ms", sa.BigInteger(), nullable=False),
        sa.Column("decided_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("decided_by", sa.Text(), server_default="", nullable=False),
        sa.Column("told", sa.Text(), server_default="", nullable=False),
        sa.Column("not_before_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("evidence", sa.Text(), server_default="", nullable=False),
        sa.Column("warnings", sa.Text(), server_default="", nullable=False),
        sa.Column("desk_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("slot_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("letter_version", sa.Text(), nullable=False),
        sa.Column("letter_signed_ms", sa.BigInteger(), nullable=False),
        sa.Column("letter_name", sa.Text(), nullable=False),
        sa.Column("sealed_signature", sa.LargeBinary(), nullable=False),
        sa.Column("observed_until_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("printed_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("collected_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("collected_by", sa.Text(), server_default="", nullable=False),
        sa.Column("collected_note", sa.Text(), server_default="", nullable=False),
        sa.Column("objection", sa.Text(), server_default="", nullable=False),
        sa.Column("ended_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "household_id"),
        sa.UniqueConstraint("compound_id", "number"),
    )
    op.create_index(
        "household_dwelling", "household", ["compound_id", "dwelling_id", "state", "collected_ms"], unique=False
    )
    op.create_index("household_link", "household", ["link_mark"], unique=False)
    op.create_index("household_phone", "household", ["compound_id", "phone_mark"], unique=False)
    op.create_index("household_slot", "household", ["compound_id", "desk_id", "slot_ms"], unique=False)
    op.create_index("household_state", "household", ["compound_id", "state", "submitted_ms"], unique=False)
    op.create_table(
        "person",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("relation", sa.Text(), nullable=False),
        sa.Column("doc_kind", sa.Text(), nullable=False),
        sa.Column("sealed_doc", sa.LargeBinary(), nullable=False),
        sa.Column("doc_mark", sa.LargeBinary(), nullable=False),
        sa.Column("doc_masked", sa.Text(), nullable=False),
        sa.Column("sex", sa.Text(), server_default="", nullable=False),
        sa.Column("birth", sa.Text(), server_default="", nullable=False),
        sa.Column("sealed_phone", sa.LargeBinary(), nullable=False),
        sa.Column("phone_mark", sa.LargeBinary(), nullable=False),
        sa.Column("phone_masked", sa.Text(), server_default="", nullable=False),
        sa.Column("province", sa.Text(), server_default="", nullable=False),
        sa.Column("city", sa.Text(), server_default="", nullable=False),
        sa.Column("arrived", sa.Text(), server_default="", nullable=False),
        sa.Column("came_from", sa.Text(), server_default="", nullable=False),
        sa.Column("transport", sa.Text(), server_default="", nullable=False),
        sa.Column("transport_number", sa.Text(), server_default="", nullable=False),
        sa.Column("contact", sa.Text(), server_default="", nullable=False),
        sa.Column("health", sa.Text(), server_default="", nullable=False),
        sa.Column("quarantine", sa.Text(), server_default="", nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("pass_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.ForeignKeyConstraint(["compound_id", "household_id"], ["household.compound_id", "household.household_id"]),
        sa.PrimaryKeyConstraint("compound_id", "person_id"),
    )
    op.create_index("person_doc", "person", ["compound_id", "doc_mark"], unique=False)
    op.create_index("person_household", "person", ["compound_id", "household_id"], unique=False)
    op.create_index("person_name", "person", ["compound_id", "name"], unique=False)
    op.create_index("person_pass", "person", ["compound_id", "pass_id"], unique=False)
    op.create_index("person_phone", "person", ["compound_id", "phone_mark"], unique=False)
    op.create_table(
        "journey",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("province", sa.Text(), nullable=False),
        sa.Column("city", sa.Text(), nullable=False),
        sa.Column("district", sa.Text(), server_default="", nullable=False),
        sa.Column("from_day", sa.Text(), nullable=False),
        sa.Column("until_day", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.ForeignKeyConstraint(["compound_id", "household_id"], ["household.compound_id", "household.household_id"]),
        sa.ForeignKeyConstraint(["compound_id", "person_id"], ["person.compound_id", "person.person_id"]),
        sa.PrimaryKeyConstraint("compound_id", "person_id", "seq"),
    )
    op.create_index("journey_household", "journey", ["compound_id", "household_id"], unique=False)
    op.create_table(
        "vehicle",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=False),
        sa.Column("vehicle_id", sa.BigInteger(), nullable=False),
        sa.Column("plate", sa.Text(), nullable=False),
        sa.Column("pass_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.ForeignKeyConstraint(["compound_id", "household_id"], ["household.compound_id", "household.household_id"]),
        sa.PrimaryKeyConstraint("compound_id", "vehicle_id"),
    )
    op.create_index("vehicle_household", "vehicle", ["compound_id", "household_id"], unique=False)
    op.create_index("vehicle_pass", "vehicle", ["compound_id", "pass_id"], unique=False)
    op.create_index("vehicle_plate", "vehicle", ["compound_id", "plate"], unique=False)
    op.create_table(
        "visitor",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=False),
        sa.Column("visitor_id", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("plate", sa.Text(), server_default="", nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("pass_id", sa.BigInteger(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.ForeignKeyConstraint(["compound_id", "household_id"], ["household.compound_id", "household.household_id"]),
        sa.PrimaryKeyConstraint("compound_id", "visitor_id"),
    )
    op.create_index("visitor_household", "visitor", ["compound_id", "household_id"], unique=False)
    op.create_index("visitor_pass", "visitor", ["compound_id", "pass_id"], unique=False)
    op.create_table(
        "notice",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sealed_phone", sa.LargeBinary(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("sent_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("tried_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.ForeignKeyConstraint(["compound_id", "household_id"], ["household.compound_id", "household.household_id"]),
        sa.PrimaryKeyConstraint("compound_id", "notice_id"),
    )
    op.create_index("notice_household", "notice", ["compound_id", "household_id"], unique=False)
    op.create_index("notice_sent", "notice", ["compound_id", "sent_ms"], unique=False)
    op.create_table(
        "draft",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("draft_mark", sa.LargeBinary(), nullable=False),
        sa.Column("household_id", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "draft_mark"),
    )
    op.create_index("draft_household", "draft", ["compound_id", "household_id"], unique=False)
    op.create_table(
        "desk",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("desk_id", sa.BigInteger(), nullable=False),
        sa.Column("name_zh", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("place_zh", sa.Text(), nullable=False),
        sa.Column("place_en", sa.Text(), nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("hours", sa.Text(), nullable=False),
        sa.Column("from_day", sa.Text(), nullable=False),
        sa.Column("until_day", sa.Text(), nullable=False),
        sa.Column("weekdays", sa.Text(), nullable=False),
        sa.Column("buildings", sa.Text(), server_default="", nullable=False),
        sa.Column("paper", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "desk_id"),
    )
    op.create_table(
        "activation",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("code_mark", sa.LargeBinary(), nullable=False),
        sa.Column("pass_id", sa.BigInteger(), nullable=False),
        sa.Column("ends_ms", sa.BigInteger(), nullable=False),
        sa.Column("used_ms", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.ForeignKeyConstraint(["compound_id", "pass_id"], ["pass.compound_id", "pass.pass_id"]),
        sa.PrimaryKeyConstraint("compound_id", "code_mark"),
    )
    op.create_table(
        "browser",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("browser_mark", sa.LargeBinary(), nullable=False),
        sa.Column("pass_id", sa.BigInteger(), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.ForeignKeyConstraint(["compound_id", "pass_id"], ["pass.compound_id", "pass.pass_id"]),
        sa.PrimaryKeyConstraint("compound_id", "browser_mark"),
    )
    op.create_index("browser_pass", "browser", ["compound_id", "pass_id"], unique=False)
    op.create_table(
        "upload",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("upload_mark", sa.LargeBinary(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("sealed_rows", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "upload_mark"),
    )
    op.create_table(
        "roster",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("doc_mark", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "doc_mark"),
    )
    op.create_table(
        "export",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("export_id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("chosen", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("whole", sa.Boolean(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("households", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "export_id"),
    )
    op.create_index("export_at", "export", ["compound_id", "at_ms"], unique=False)
    op.create_table(
        "erasure",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("erasure_id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "erasure_id"),
    )
    op.create_table(
        "coverage",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("as_of_ms", sa.BigInteger(), nullable=False),
        sa.Column("figures", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id"),
    )
    op.create_table(
        "area",
        sa.Column("area_id", sa.Integer(), nullable=False),
        sa.Column("province", sa.Text(), nullable=False),
        sa.Column("city", sa.Text(), server_default="", nullable=False),
        sa.Column("district", sa.Text(), server_default="", nullable=False),
        sa.Column("from_day", sa.Text(), nullable=False),
        sa.Column("until_day", sa.Text(), server_default="", nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("added_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("area_id"),
    )
    op.create_table(
        "setting",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "town_audit",
        sa.Column("audit_id", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("audit_id"),
    )
    op.create_index("town_audit_at", "town_audit", ["at_ms"], unique=False)
