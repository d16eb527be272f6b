"""The fields of the form and every column they stand in, once: form, rows, tables of the office and erasure follow.

A group belongs to one clock (see ``keeping.retention``): a column of the group is emptied when that clock runs out.
``household`` means that it stays as long as its row.

``Kept`` says how a column stands in the database: sealed, or in clear and why. A test compares every column of every
table about people with ``KEPT``, so a new one must decide. A new question about a person is one line of ``Answers``.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args, get_type_hints

import msgspec

TableName = Literal["person", "household", "vehicle"]
ClockName = Literal["household", "document", "signature", "travel"]
Relation = Literal["owner", "tenant", "family", "other"]
RELATIONS: tuple[Relation, ...] = get_args(Relation)
PERSON_KINDS = ("resident", "household_staff")
TRANSPORTS = ("train", "plane", "coach", "car", "other", "none")
HEALTHS = ("well", "fever", "cough", "other")
NO_YES = ("no", "yes")


class Group(msgspec.Struct, frozen=True):
    """Columns about one thing, and the clock that empties them."""

    name: str
    clock: ClockName = "household"


KEY = Group("key")
BOOKKEEPING = Group("bookkeeping")
"""What the centre notes of a row: states, times, who decided."""
DWELLING = Group("dwelling")
IDENTITY = Group("identity")
CONTACT = Group("contact")
NUMBER = Group("number", "document")
"""Full numbers of documents and telephones, and the hashes that find them."""
RESIDENCE = Group("residence")
JOURNEY = Group("journey", "travel")
HEALTH = Group("health", "travel")
ADVICE = Group("advice", "travel")
"""What the office was warned of and what it told the household: both may speak of travel or health."""
LETTER = Group("letter", "signature")
VEHICLE = Group("vehicle")


class Kept(msgspec.Struct, frozen=True):
    """How a column stands in the database: ``sealed``, or readable without the key, and why that must be."""

    how: Literal["sealed", "mark", "clear"]
    why: str = ""


SEALED = Kept("sealed")
MARKED = Kept("mark", "a keyed hash: finds a sealed number that is known in full, says nothing without the key")
MASKED = Kept("clear", "masked: more than 10,000 identity numbers are left; of a telephone number four places show")
SEARCHED = Kept("clear", "found, filtered, sorted or counted by")
AT_GATES = Kept("clear", "found by, and every gate of the compound holds it")
COARSE = Kept("clear", "an age band in place of the day of birth, to filter and count by")
OURS = Kept("clear", "no answer of anybody's: a key, a state, a time or an account of the centre's own")
ORDERED = Kept("clear", "until when the office lets a household wait or stay at home: sorted by, and gates know of it")
PURPOSE = Kept("clear", "what the office looked for and why; the households in it read that on their pages")

BIRTH, TRAVEL = "sealed_birth", "sealed_travel"


class Answer(msgspec.Struct, frozen=True):
    """A question. Its answer is kept ``within`` a sealed column, which may hold several; empty: in a clear column of
    its own name, and that needs a reason in ``Kept``. ``choices`` empty: in words, or a ``day``. ``exported``: a column
    of the residents' register. ``hint`` and ``why``: the words ``form_NAME_hint`` and ``form_why_NAME`` stand beside
    it."""

    group: Group
    within: str
    choices: tuple[str, ...] = ()
    day: bool = False
    exported: bool = False
    hint: bool = False
    why: bool = False


class Answers(msgspec.Struct, kw_only=True):
    """What form and row of a person have in common, in the order of the form."""

    name: Annotated[str, Answer(IDENTITY, "", exported=True)] = ""
    kind: Annotated[str, Answer(IDENTITY, "", PERSON_KINDS, exported=True)] = "resident"
    relation: Annotated[str, Answer(IDENTITY, "", RELATIONS, exported=True)] = ""
    doc_kind: Annotated[str, Answer(IDENTITY, "", exported=True)] = "id_card"
    sex: Annotated[str, Answer(IDENTITY, "", ("m", "f"), exported=True)] = ""
    birth: Annotated[str, Answer(IDENTITY, BIRTH, day=True, exported=True)] = ""
    province: Annotated[str, Answer(RESIDENCE, "", exported=True)] = ""
    city: Annotated[str, Answer(RESIDENCE, "", exported=True)] = ""
    arrived: Annotated[str, Answer(JOURNEY, TRAVEL, day=True, exported=True)] = ""
    came_from: Annotated[str, Answer(JOURNEY, TRAVEL)] = ""
    transport: Annotated[str, Answer(JOURNEY, TRAVEL, TRANSPORTS)] = ""
    transport_number: Annotated[str, Answer(JOURNEY, TRAVEL)] = ""
    contact: Annotated[str, Answer(HEALTH, TRAVEL, NO_YES, hint=True, why=True)] = ""
    health: Annotated[str, Answer(HEALTH, TRAVEL, HEALTHS, why=True)] = ""
    quarantine: Annotated[str, Answer(HEALTH, TRAVEL, NO_YES, hint=True)] = ""


ANSWERS: dict[str, Answer] = {
    name: next(one for one in hint.__metadata__ if isinstance(one, Answer))
    for name, hint in get_type_hints(Answers, include_extras=True).items()
}
"""Question → how it is asked."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A column. ``asked`` is the field of the form it is made of, empty for none or for several; ``masked`` is the
    column that is shown in place of a sealed one."""

    table: TableName
    column: str
    group: Group
    kept: Kept
    asked: str = ""
    masked: str = ""
    exported: bool = False


def _of(table: TableName, group: Group, kept: Kept, *columns: str) -> tuple[Field, ...]:
    return tuple(Field(table=table, column=column, group=group, kept=kept) for column in columns)


def _number(table: TableName, stem: str, asked: str, group: Group) -> tuple[Field, ...]:
    """A full number: sealed, found by its hash, shown masked."""
    masked = f"{stem}_masked"
    hidden = (Field(table=table, column=column, group=NUMBER, kept=kept, asked=asked, masked=masked)
              for column, kept in ((f"sealed_{stem}", SEALED), (f"{stem}_mark", MARKED)))  # fmt: skip
    return (*hidden, Field(table=table, column=masked, group=group, kept=MASKED, asked=asked, exported=True))


FIELDS: tuple[Field, ...] = (
    *_of("person", KEY, OURS, "compound_id", "household_id", "person_id", "pass_id"),
    *_of("person", BOOKKEEPING, OURS, "place"),
    *_of("person", BOOKKEEPING, SEARCHED, "known"),
    *(Field(table="person", column=name, group=one.group, kept=SEARCHED, asked=name, exported=one.exported)
      for name, one in ANSWERS.items() if not one.within),
    *_of("person", IDENTITY, SEALED, BIRTH),
    *_of("person", IDENTITY, COARSE, "age_band"),
    *_of("person", JOURNEY, SEALED, TRAVEL),
    *_number("person", "doc", "doc_number", IDENTITY),
    *_number("person", "phone", "phone", CONTACT),
    *_of("household", KEY, OURS, "compound_id", "household_id", "number", "link_version"),
    *_of("household", KEY, MARKED, "link_mark"),
    *_of("household", DWELLING, SEARCHED, "dwelling_id", "dwelling"),
    *_number("household", "phone", "phone", CONTACT),
    *_of("household", LETTER, SEALED, "sealed_letter_name", "sealed_signature"),
    *_of("household", ADVICE, SEALED, "sealed_told", "sealed_warnings"),
    *_of("household", BOOKKEEPING, SEALED, "sealed_evidence", "sealed_collected_note", "sealed_objection"),
    *_of("household", BOOKKEEPING, OURS, "state", "source", "language", "submitted_ms", "decided_ms", "decided_by",
         "desk_id", "slot_ms", "letter_version", "letter_signed_ms", "printed_ms", "collected_ms", "collected_by",
         "ended_ms", "doubt", "signs", "verified_ms", "released_ms", "code_version", "code_ms", "code_tries"),
    *_of("household", BOOKKEEPING, MARKED, "browser_mark", "address_mark"),
    *_of("household", BOOKKEEPING, ORDERED, "not_before_ms", "observed_until_ms"),
    *_of("vehicle", KEY, OURS, "compound_id", "household_id", "vehicle_id", "pass_id"),
    *_of("vehicle", VEHICLE, AT_GATES, "plate"),
)  # fmt: skip


class KeptColumn(msgspec.Struct, frozen=True):
    """A column of a table about people, and how it is kept."""

    table: str
    column: str
    kept: Kept


def _kept(table: str, kept: Kept, *columns: str) -> tuple[KeptColumn, ...]:
    return tuple(KeptColumn(table, column, kept) for column in columns)


KEPT: tuple[KeptColumn, ...] = (
    *(KeptColumn(field.table, field.column, field.kept) for field in FIELDS),
    *_kept("visitor", OURS, "compound_id", "household_id", "visitor_id", "day", "pass_id", "created_ms"),
    *_kept("visitor", AT_GATES, "label", "plate"),
    *_kept("notice", OURS, "compound_id", "household_id", "notice_id", "at_ms", "kind", "sent_ms", "tries", "tried_ms"),
    *_kept("notice", SEALED, "sealed_phone", "sealed_words"),
    *_kept("draft", OURS, "compound_id", "household_id", "updated_ms"),
    *_kept("draft", MARKED, "draft_mark"),
    *_kept("draft", SEALED, "sealed_body"),
    *_kept("upload", OURS, "compound_id", "what", "at_ms"),
    *_kept("upload", MARKED, "upload_mark"),
    *_kept("upload", SEALED, "sealed_rows"),
    *_kept("roster", OURS, "compound_id"),
    *_kept("roster", MARKED, "doc_mark"),
    *_kept("dwelling", OURS, "compound_id", "dwelling_id", "found_ms", "proposed"),
    *_kept("dwelling", SEARCHED, "building", "unit", "floor", "room", "name", "place", "found"),
    *_kept("visit", OURS, "compound_id", "dwelling_id", "visit_id", "at_ms", "by", "found"),
    *_kept("visit", SEALED, "sealed_note"),
    *_kept("audit", OURS, "compound_id", "audit_id", "at_ms", "by", "what", "about", "household"),
    *_kept("audit", SEALED, "sealed_why"),
    *_kept("export", OURS, "compound_id", "export_id", "at_ms", "by", "what", "whole", "rows", "households"),
    *_kept("export", PURPOSE, "chosen", "why"),
    *_kept("pass", OURS, "compound_id", "pass_id", "number", "kind", "state", "valid_from_ms", "valid_until_ms",
           "short_code", "household", "attention", "lanes", "terms", "look", "created_ms", "home"),
    *_kept("pass", AT_GATES, "label", "dwelling", "plate"),
)  # fmt: skip
"""Every column of every table about people."""


def answers_of(*groups: Group) -> dict[str, Answer]:
    """Question → how it is asked, of these groups, in the order of the form."""
    return {name: answer for name, answer in ANSWERS.items() if answer.group in groups}


def asked_of_person(*groups: Group) -> tuple[str, ...]:
    """The form's fields of these groups, each once."""
    numbers = (field.asked for field in FIELDS if field.table == "person" and field.group in groups and field.asked)
    return tuple(dict.fromkeys((*answers_of(*groups), *numbers)))


def exported_of_person() -> tuple[str, ...]:
    """Columns of the residents' register that a person's row has as they are shown."""
    masked = (field.column for field in FIELDS if field.table == "person" and field.exported)
    return tuple(dict.fromkeys((*(name for name, one in ANSWERS.items() if one.exported), *masked)))


def emptied_by(clock: ClockName, table: TableName) -> tuple[str, ...]:
    """Columns of a table that are emptied when a clock runs out."""
    return tuple(field.column for field in FIELDS if field.table == table and field.group.clock == clock)
