"""The tables of the centre. ``compound_id`` is part of every primary and unique key, so that a compound can move to a
machine of its own. Outside stand ``staff``, people who may serve several compounds, and ``area``, ``setting`` and
``town_audit``, small lists of the whole town.

Times are UTC milliseconds, days are ``2026-12-31`` in the compound's timezone, an empty text is "not known". A column
named ``sealed_*`` holds bytes only the key file can open, what people said bound to its row besides (sealing.py). A
column named ``*_mark`` holds a keyed hash that finds what is sealed beside it (vault.py). How each column about people
is kept, and why, stands in people/households/field_groups.py.
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
    text,
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


def _some(name: str, kept: str) -> Index:
    """An index of the few rows for which that is true, by time."""
    return Index(name, "compound_id", "at_ms", sqlite_where=text(kept), postgresql_where=text(kept))


def _bytes(name: str) -> Column[Any]:
    return Column(name, LargeBinary, nullable=False)


def _sealed(name: str) -> Column[Any]:
    """Words that only the key opens, bound to their row; empty where there are none (sealing.py)."""
    return Column(f"sealed_{name}", LargeBinary, nullable=False, default=b"")


compound = Table(
    "compound",
    metadata,
    Column("compound_id", Integer, primary_key=True, autoincrement=False),
    _text("name_zh"),
    _text("name_en"),
    _text("timezone"),
    _text("epoch"),
    _number("epoch_order", 0),  # its place among the epochs, as the root signs it; 0: not signed yet
    _number("revision", 0),
    _number("pruned_revision", 0),  # a cursor below it has missed a tombstone that is no longer kept
    _bytes("root_public"),
    _bytes("sealed_root_seed"),
    _bytes("sealed_code_key"),
    _text("rules"),
    _number("created_ms"),
    _text("community_zh", ""),
    _text("community_en", ""),
    _text("office_phone", ""),  # whom residents call
    _number("wide", 0),  # 1: no compound but a wider scope, whose passes are good in those that accept it
    _text("life", ""),  # drawn by each program at its first change: numbers given twice are of two lives
    _text("ages_day", ""),  # the day on which its people's age_band were last true
    _text("lane_screen", ""),  # what its lanes tell everybody, as JSON (passes/lane_screen.py)
    _number("restored_ms", 0),  # since when it waits for a new epoch: a gate proved that a backup was restored
)

counter = _of_compound(
    "counter",
    _text("name"),  # pass, gate, account, serial/SCOPE, household, person, vehicle, dwelling, desk, visitor
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
    _text("lanes", ""),  # name → direction, as its device told last (JSON); empty: it has not
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
    _number("settled_ms", 0),  # when a copy of it got an identity of its own
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
    _text("settles", ""),  # the device of which the one that uses it is a copy
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
    _text("terms", ""),
    _text("look", ""),
    _number("created_ms"),
    _number("home", 0),  # the wider scope it is mirrored from; 0: issued here
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
    _text("gates", ""),  # ids of the gates at which it works, comma-separated; empty: all
    _text("held_at", ""),  # ids of the devices that ever had the verifier of its present PIN; *: any
    _text("stolen_gate", ""),  # the gate by whose theft the PIN was withdrawn; empty: it is good
    _number("pin_digits", 0),  # how many the PIN has at least; 0: not known
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
    _text("branch_of", ""),  # the journal it went another way from, on a copy of the device; then it is called J~2
    _number("begins", 1),  # the first event of its own; those before are in the other branches
    _text("address", ""),  # whence its last events came
    keys=("device_id", "journal_id"),
)

past_life = _of_compound("past_life", _text("life"), _number("ends"), keys=("life",))  # its last revision

cursor_ahead = _of_compound(
    "cursor_ahead",  # gates that have more of an epoch than this centre
    _text("device_id"),
    _text("epoch"),
    _number("revision"),
    _number("behind"),  # the centre's revision then
    _number("at_ms"),
    Column("proven", Boolean, nullable=False),  # by what the root key signed
    _number("epoch_order", 0),  # of an epoch that this centre does not know, as the proof has it
    keys=("device_id",),
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
    extra=(
        Index("event_at", "compound_id", "device_id", "at_ms"),
        Index("event_serial", "compound_id", "scope", "serial", "at_ms"),
        _some("event_provisional", "kind = 'provisional'"),
        _some("event_shift", "kind = 'shift'"),
        _some("event_annulled", "kind = 'annulled'"),
        _some("event_over_budget", "reason = 'over_budget'"),
    ),
)

unreadable_event = _of_compound(
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
    _number("household", 0),  # whose record it is about; 0: nobody's
    _sealed("why"),
    keys=("audit_id",),
    extra=(Index("audit_at", "compound_id", "at_ms"), Index("audit_household", "compound_id", "household", "at_ms")),
)

staff = Table(
    "staff",
    metadata,
    Column("account", Text, primary_key=True),
    _text("name"),
    _text("role", "property"),
    _text("password_hash", ""),  # empty: no password set yet, only the one-time link works
    _bytes("link_hash"),
    _number("link_ends_ms", 0),
    _number("version", 1),  # changes with password, role and compounds, and ends every session made before
    Column("everywhere", Boolean, nullable=False),
    Column("active", Boolean, nullable=False),
)

ended_session = Table(
    "ended_session",
    metadata,
    Column("session_hash", LargeBinary, primary_key=True),
    _number("until_ms"),  # when the session would have ended by itself, and this row is no longer needed
)

staff_compound = _of_compound(
    "staff_compound",
    _text("account"),
    keys=("account",),
    extra=(ForeignKeyConstraint(["account"], ["staff.account"]), Index("staff_compound_account", "account")),
)

# Who lives here

dwelling = _of_compound(
    "dwelling",
    _number("dwelling_id"),
    _text("building"),
    _text("unit", ""),
    _number("floor", 0),  # 0: not known
    _text("room"),
    _text("name"),  # as people say it: 3-2-501
    _text("place"),  # sorts as people count: building, unit, floor, room
    _text("found", ""),  # what a visit found: present, nobody, vacant, not_here, moved, refused; dismissed if proposed
    _number("found_ms", 0),
    Column("proposed", Boolean, nullable=False),  # typed by a resident; not of the register until somebody takes it
    keys=("dwelling_id",),
    extra=(
        UniqueConstraint("compound_id", "building", "unit", "room"),
        Index("dwelling_place", "compound_id", "place"),
        Index("dwelling_name", "compound_id", "name"),
    ),
)

visit = _of_compound(
    "visit",
    _number("dwelling_id"),
    _text("visit_id"),
    _number("at_ms"),
    _text("by"),
    _text("found"),
    _sealed("note"),
    keys=("dwelling_id", "visit_id"),
    extra=(ForeignKeyConstraint(["compound_id", "dwelling_id"], ["dwelling.compound_id", "dwelling.dwelling_id"]),),
)

household = _of_compound(
    "household",
    _number("household_id"),
    _text("number"),  # 7-H00123
    _text("state"),  # applied, correct, observe, approved, not_here, cancelled, moved
    _number("dwelling_id", 0),  # 0: not in the register
    _text("dwelling"),  # its name, or what was typed
    _text("source"),  # online, paper
    _text("language"),
    _number("link_version", 1),
    _bytes("link_mark"),
    _bytes("phone_mark"),
    _bytes("sealed_phone"),
    _text("phone_masked", ""),
    _number("submitted_ms"),
    _number("decided_ms", 0),
    _text("decided_by", ""),
    _sealed("told"),  # what the resident is told: to correct, or why not yet
    _number("not_before_ms", 0),
    _sealed("evidence"),
    _sealed("warnings"),  # codes, comma between
    _number("desk_id", 0),  # where it collects; 0: no slot
    _number("slot_ms", 0),
    _text("letter_version"),
    _number("letter_signed_ms"),
    _sealed("letter_name"),
    _bytes("sealed_signature"),  # SVG path, empty on paper
    _number("observed_until_ms", 0),  # home quarantine
    _number("printed_ms", 0),
    _number("collected_ms", 0),
    _text("collected_by", ""),
    _sealed("collected_note"),
    _sealed("objection"),
    _number("ended_ms", 0),  # cancelled or moved
    _number("doubt", 0),  # of an application nobody has looked at: 1 its place gives way, 2 it holds none (slots.py)
    _text("signs", ""),  # why, codes, comma between
    _text("browser_mark", ""),  # whence it was sent, until somebody decides
    _text("address_mark", ""),
    _number("verified_ms", 0),  # when a code sent to its telephone came back
    _number("released_ms", 0),  # when it lost its slot to somebody else; 0 once it has another one
    _number("code_version", 0),  # how many codes were sent to it
    _number("code_ms", 0),  # when the last one was
    _number("code_tries", 0),  # how often that one was guessed
    keys=("household_id",),
    extra=(
        UniqueConstraint("compound_id", "number"),
        Index("household_link", "link_mark"),
        Index("household_dwelling", "compound_id", "dwelling_id", "state", "collected_ms"),
        Index("household_state", "compound_id", "state", "submitted_ms"),
        Index("household_slot", "compound_id", "desk_id", "slot_ms"),
        Index("household_phone", "compound_id", "phone_mark"),
        Index("household_browser", "compound_id", "browser_mark"),
    ),
)


def _of_household(name: str, *columns: Column[Any], keys: tuple[str, ...], extra: tuple[SchemaItem, ...] = ()) -> Table:
    owner = ForeignKeyConstraint(["compound_id", "household_id"], ["household.compound_id", "household.household_id"])
    index = Index(f"{name}_household", "compound_id", "household_id")
    return _of_compound(name, _number("household_id"), *columns, keys=keys, extra=(owner, index, *extra))


person = _of_household(
    "person",
    _number("person_id"),
    _number("place"),  # 0: who applied
    _text("name"),
    _text("kind"),  # resident, household_staff
    _text("relation"),  # owner, tenant, family, other
    _text("doc_kind"),  # id_card, hk_macau, taiwan, passport, none (a newborn)
    _bytes("sealed_doc"),
    _bytes("doc_mark"),
    _text("doc_masked"),
    _text("sex", ""),  # m, f
    _number("age_band", -1),  # the least age of the band on the compound's ages_day; -1: not known
    _sealed("birth"),
    _bytes("sealed_phone"),
    _bytes("phone_mark"),
    _text("phone_masked", ""),
    _text("province", ""),  # registered residence
    _text("city", ""),
    _sealed("travel"),  # arrival, stays, contact, health, home quarantine: see people/households/sealed_answers.py
    Column("known", Boolean, nullable=False),  # on the list the community had before
    _number("pass_id", 0),
    keys=("person_id",),
    extra=(
        Index("person_doc", "compound_id", "doc_mark"),
        Index("person_phone", "compound_id", "phone_mark"),
        Index("person_name", "compound_id", "name"),
        Index("person_pass", "compound_id", "pass_id"),
    ),
)

vehicle = _of_household(
    "vehicle",
    _number("vehicle_id"),
    _text("plate"),
    _number("pass_id", 0),
    keys=("vehicle_id",),
    extra=(Index("vehicle_plate", "compound_id", "plate"), Index("vehicle_pass", "compound_id", "pass_id")),
)

visitor = _of_household(
    "visitor",
    _number("visitor_id"),
    _text("label"),
    _text("plate", ""),
    _text("day"),
    _number("pass_id"),
    _number("created_ms"),
    keys=("visitor_id",),
    extra=(Index("visitor_pass", "compound_id", "pass_id"),),
)

notice = _of_household(
    "notice",
    _text("notice_id"),
    _number("at_ms"),
    _text("kind"),
    _bytes("sealed_phone"),
    _sealed("words"),
    _number("sent_ms", 0),
    _number("tries", 0),
    _number("tried_ms", 0),
    keys=("notice_id",),
    extra=(Index("notice_sent", "compound_id", "sent_ms"),),
)

draft = _of_compound(
    "draft",
    _bytes("draft_mark"),
    _number("household_id", 0),  # whose correction it is; 0: a new application
    _bytes("sealed_body"),
    _number("updated_ms"),
    keys=("draft_mark",),
    extra=(Index("draft_household", "compound_id", "household_id"),),
)

desk = _of_compound(
    "desk",
    _number("desk_id"),
    _text("name_zh"),
    _text("name_en"),
    _text("place_zh"),
    _text("place_en"),
    _number("capacity"),  # households in a quarter of an hour
    _text("hours"),  # JSON: [[from minute, to minute], …] of a day
    _text("from_day"),
    _text("until_day"),
    _text("weekdays"),  # 1 (Monday) … 7, comma between
    _text("buildings", ""),  # whom it is for, comma between; empty: everybody
    Column("paper", Boolean, nullable=False),  # for people who apply on paper
    keys=("desk_id",),
)

activation = _of_compound(
    "activation",
    _bytes("code_mark"),
    _number("pass_id"),
    _number("ends_ms"),
    _number("used_ms", 0),
    keys=("code_mark",),
    extra=(ForeignKeyConstraint(["compound_id", "pass_id"], ["pass.compound_id", "pass.pass_id"]),),
)

browser = _of_compound(
    "browser",
    _bytes("browser_mark"),
    _number("pass_id"),
    _number("since_ms"),
    keys=("browser_mark",),
    extra=(
        ForeignKeyConstraint(["compound_id", "pass_id"], ["pass.compound_id", "pass.pass_id"]),
        Index("browser_pass", "compound_id", "pass_id"),
    ),
)

upload = _of_compound(
    "upload",
    _bytes("upload_mark"),
    _text("what"),  # dwellings, roster
    _number("at_ms"),
    _bytes("sealed_rows"),  # read from a file and shown; what is taken over is exactly this
    keys=("upload_mark",),
)

roster = _of_compound("roster", _bytes("doc_mark"), keys=("doc_mark",))  # whom the community knew before

export = _of_compound(
    "export",
    _text("export_id"),
    _number("at_ms"),
    _text("by"),
    _text("what"),
    _text("chosen"),
    _text("why", ""),
    Column("whole", Boolean, nullable=False),  # with full document numbers
    _number("rows"),
    _text("households"),  # JSON: whose records are in it
    keys=("export_id",),
    extra=(Index("export_at", "compound_id", "at_ms"),),
)

erasure = _of_compound(
    "erasure",
    _text("erasure_id"),
    _number("at_ms"),
    _text("by"),
    _text("counts"),  # JSON: kind of data -> rows deleted
    _text("digest"),
    keys=("erasure_id",),
)

coverage = _of_compound("coverage", _number("as_of_ms"), _text("figures"), keys=())

area = Table(
    "area",
    metadata,
    Column("area_id", Integer, primary_key=True),
    _text("province"),
    _text("city", ""),
    _text("district", ""),
    _text("from_day"),
    _text("until_day", ""),  # empty: still
    _text("added_by"),
    _number("added_ms"),
)

unsealed = _of_compound(
    "unsealed",  # clear words of an older version that are still to be sealed; empty once they are (opening.py)
    _text("of"),  # table
    _text("row"),  # JSON: the key of the row
    _text("words"),  # JSON: column of the older version -> text
    keys=("of", "row"),
)

setting = Table("setting", metadata, Column("name", Text, primary_key=True), _text("value"))

town_audit = Table(
    "town_audit",  # accounts, areas, periods: what is done to the whole town
    metadata,
    Column("audit_id", Text, primary_key=True),
    _number("at_ms"),
    _text("by"),
    _text("what"),
    _text("about"),
    Index("town_audit_at", "at_ms"),
)
