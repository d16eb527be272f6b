"""The tables of the centre. ``compound_id`` is part of every primary and unique key, so that a compound can move to a
machine of its own; only ``staff``, people who may serve several compounds, stands outside.

Times are UTC milliseconds. A column named ``sealed_*`` holds bytes only the key file can open (vault.py).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

metadata = MetaData()


def _of_compound(name: str, *columns: Column[Any], keys: tuple[str, ...], extra: tuple[SchemaItem, ...] = ()) -> Table:
    return Table(
        name,
        metadata,
        Column("compound_id", Integer, nullable=False),
        *columns,
        PrimaryKeyConstraint("compound_id", *keys),
        ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        *extra,
    )


def _text(name: str, default: str | None = None) -> Column[Any]:
    return Column(name, Text, nullable=False, server_default=default)


def _number(name: str, default: int | None = None) -> Column[Any]:
    return Column(name, BigInteger, nullable=False, server_default=None if default is None else str(default))


def _bytes(name: str) -> Column[Any]:
    return Column(name, LargeBinary, nullable=False)


compound = Table(
    "compound",
    metadata,
    Column("compound_id", Integer, primary_key=True, autoincrement=False),
    _text("name_zh"),
    _text("name_en"),
    _text("timezone"),
    _text("epoch"),
    _number("revision", 0),
    _number("pruned_revision", 0),  # a cursor below it has missed a tombstone that is no longer kept
    _bytes("root_public"),
    _bytes("sealed_root_seed"),
    _bytes("sealed_code_key"),
    _text("rules"),
    _number("created_ms"),
)

counter = _of_compound(
    "counter",
    _text("name"),  # pass, gate, account, serial/SCOPE
    _number("value"),
    keys=("name",),
)

signing_key = _of_compound(
    "signing_key",
    _number("scope"),
    _number("key_id"),
    _bytes("public"),
    _bytes("sealed_seed"),
    Column("active", Boolean, nullable=False),
    _number("created_ms"),
    keys=("scope", "key_id"),
)

gate = _of_compound(
    "gate",
    _text("gate_id"),
    _text("name"),
    _text("neighbour_zh", ""),
    _text("neighbour_en", ""),
    keys=("gate_id",),
    extra=(UniqueConstraint("compound_id", "name"),),
)

device = _of_compound(
    "device",
    _text("device_id"),
    _text("gate_id"),
    _bytes("token_hash"),
    _bytes("box_public"),
    _text("state"),  # active, replaced, withdrawn
    _number("enrolled_ms"),
    _number("withdrawn_ms", 0),
    _number("seen_ms", 0),
    _text("seen_epoch", ""),
    _number("seen_revision", 0),
    keys=("device_id",),
    extra=(
        ForeignKeyConstraint(["compound_id", "gate_id"], ["gate.compound_id", "gate.gate_id"]),
        Index("device_gate", "compound_id", "gate_id"),
    ),
)

enrolment = _of_compound(
    "enrolment",
    _bytes("secret_hash"),
    _text("gate_id"),
    _number("ends_ms"),
    _text("device_id", ""),  # empty until used
    keys=("secret_hash",),
    extra=(
        ForeignKeyConstraint(["compound_id", "gate_id"], ["gate.compound_id", "gate.gate_id"]),
        Index("enrolment_secret", "secret_hash"),
    ),
)

pass_ = _of_compound(
    "pass",
    _number("pass_id"),
    _text("number"),
    _text("kind"),
    _text("state"),  # printed, active, suspended, revoked
    _number("valid_from_ms"),
    _number("valid_until_ms"),
    _text("label", ""),
    _text("dwelling", ""),
    _text("plate", ""),
    _text("short_code"),
    _number("household", 0),
    Column("attention", Boolean, nullable=False),
    _text("lanes", ""),
    _number("created_ms"),
    keys=("pass_id",),
    extra=(
        UniqueConstraint("compound_id", "number"),
        UniqueConstraint("compound_id", "short_code"),
        Index("pass_dwelling", "compound_id", "dwelling"),
        Index("pass_plate", "compound_id", "plate"),
    ),
)

credential = _of_compound(
    "credential",
    _number("scope"),
    _number("serial"),
    Column("pass_id", BigInteger),  # NULL: a tombstone, its pass is deleted
    _number("revision", 0),  # 0 only inside a transaction that has not numbered its changes yet
    _text("medium"),
    _number("key_id"),
    _text("kind"),
    _number("not_before_step"),
    _number("validity_hours"),
    _number("random"),
    _text("state"),  # printed, active, superseded, gone
    _number("changed_ms"),
    keys=("scope", "serial"),
    extra=(
        ForeignKeyConstraint(["compound_id", "pass_id"], ["pass.compound_id", "pass.pass_id"]),
        Index("credential_revision", "compound_id", "revision"),
        Index("credential_pass", "compound_id", "pass_id"),
    ),
)

signed_change = _of_compound(
    "signed_change",
    _text("purpose"),
    _text("item"),
    _text("epoch"),
    _number("revision"),
    _bytes("body"),
    _bytes("signature"),
    Column("must", Boolean, nullable=False),
    keys=("purpose", "item"),
    extra=(Index("signed_change_revision", "compound_id", "revision"),),
)

guard = _of_compound(
    "guard",
    _text("account"),
    _text("name"),
    _text("role"),
    Column("active", Boolean, nullable=False),
    _bytes("sealed_verifier"),
    keys=("account",),
    extra=(UniqueConstraint("compound_id", "name"),),
)

journal = _of_compound(
    "journal",
    _text("device_id"),
    _text("journal_id"),
    _number("acked"),
    _bytes("chain"),
    _number("breaks", 0),
    _number("last_ms"),
    keys=("device_id", "journal_id"),
)

event = _of_compound(
    "event",
    _text("device_id"),
    _text("journal_id"),
    _number("seq"),
    _number("at_ms"),
    _text("kind"),
    _text("lane"),
    _text("outcome"),
    _text("reason"),
    _number("scope"),
    _number("serial"),
    _text("event"),
    keys=("device_id", "journal_id", "seq"),
    extra=(Index("event_at", "compound_id", "device_id", "at_ms"),),
)

quarantine = _of_compound(
    "quarantine",
    _text("device_id"),
    _text("journal_id"),
    _number("seq"),
    _number("received_ms"),
    _text("why"),
    _text("event"),
    keys=("device_id", "journal_id", "seq"),
)

audit = _of_compound(
    "audit",
    _text("audit_id"),
    _number("at_ms"),
    _text("by"),
    _text("what"),
    _text("about"),
    keys=("audit_id",),
    extra=(Index("audit_at", "compound_id", "at_ms"),),
)

staff = Table(
    "staff",
    metadata,
    Column("account", Text, primary_key=True),
    _text("name"),
    _text("password_hash", ""),  # empty: no password set yet, only the one-time link works
    _bytes("link_hash"),
    _number("link_ends_ms", 0),
    _number("version", 1),  # changes with the password, and ends every session made before
    Column("everywhere", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
)

staff_compound = _of_compound(
    "staff_compound",
    _text("account"),
    keys=("account",),
    extra=(ForeignKeyConstraint(["account"], ["staff.account"]), Index("staff_compound_account", "account")),
)
