"""The fields of the form and every column they stand in, once: form, rows, tables of the office and erasure follow.

A group belongs to one clock (see ``keeping.retention``): a column of the group is emptied when that clock runs out.
``household`` means that it stays as long as its row. The columns of ``journey`` are no fields here: its rows go whole,
with the clock ``travel``.

A new question about a person is one line of ``Answers``.
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


class Answer(msgspec.Struct, frozen=True):
    """A question whose answer stands in its column as it was written. ``choices`` empty: in words, or a ``day``.
    ``exported``: a column of the residents' register. ``hint`` and ``why``: the words ``form_NAME_hint`` and
    ``form_why_NAME`` stand beside it."""

    group: Group
    choices: tuple[str, ...] = ()
    day: bool = False
    exported: bool = False
    hint: bool = False
    why: bool = False


class Answers(msgspec.Struct, kw_only=True):
    """What form and row of a person have in common, in the order of the form."""

    name: Annotated[str, Answer(IDENTITY, exported=True)] = ""
    kind: Annotated[str, Answer(IDENTITY, PERSON_KINDS, exported=True)] = "resident"
    relation: Annotated[str, Answer(IDENTITY, RELATIONS, exported=True)] = ""
    doc_kind: Annotated[str, Answer(IDENTITY, exported=True)] = "id_card"
    sex: Annotated[str, Answer(IDENTITY, ("m", "f"), exported=True)] = ""
    birth: Annotated[str, Answer(IDENTITY, day=True, exported=True)] = ""
    province: Annotated[str, Answer(RESIDENCE, exported=True)] = ""
    city: Annotated[str, Answer(RESIDENCE, exported=True)] = ""
    arrived: Annotated[str, Answer(JOURNEY, day=True, exported=True)] = ""
    came_from: Annotated[str, Answer(JOURNEY)] = ""
    transport: Annotated[str, Answer(JOURNEY, TRANSPORTS)] = ""
    transport_number: Annotated[str, Answer(JOURNEY)] = ""
    contact: Annotated[str, Answer(HEALTH, NO_YES, hint=True, why=True)] = ""
    health: Annotated[str, Answer(HEALTH, HEALTHS, why=True)] = ""
    quarantine: Annotated[str, Answer(HEALTH, NO_YES, hint=True)] = ""


ANSWERS: dict[str, Answer] = {
    name: next(one for one in hint.__metadata__ if isinstance(one, Answer))
    for name, hint in get_type_hints(Answers, include_extras=True).items()
}
"""Question → how it is asked."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A column. ``asked`` is the field of the form it is made of, empty for none; ``masked`` is the column that is
    shown in place of a sealed one."""

    table: TableName
    column: str
    group: Group
    asked: str = ""
    masked: str = ""
    exported: bool = False


def _of(table: TableName, group: Group, *columns: str) -> tuple[Field, ...]:
    return tuple(Field(table=table, column=column, group=group) for column in columns)


def _sealed(table: TableName, stem: str, asked: str, group: Group) -> tuple[Field, ...]:
    """A full number: sealed, found by its hash, shown masked."""
    masked = f"{stem}_masked"
    hidden = (Field(table=table, column=column, group=NUMBER, asked=asked, masked=masked)
              for column in (f"sealed_{stem}", f"{stem}_mark"))  # fmt: skip
    return (*hidden, Field(table=table, column=masked, group=group, asked=asked, exported=True))


FIELDS: tuple[Field, ...] = (
    *_of("person", KEY, "compound_id", "household_id", "person_id", "pass_id"),
    *_of("person", BOOKKEEPING, "place", "known"),
    *(Field(table="person", column=name, group=one.group, asked=name, exported=one.exported)
      for name, one in ANSWERS.items()),
    *_sealed("person", "doc", "doc_number", IDENTITY),
    *_sealed("person", "phone", "phone", CONTACT),
    *_of("household", KEY, "compound_id", "household_id", "number", "link_version", "link_mark"),
    *_of("household", DWELLING, "dwelling_id", "dwelling"),
    *_sealed("household", "phone", "phone", CONTACT),
    *_of("household", LETTER, "letter_name", "sealed_signature"),
    *_of("household", ADVICE, "told", "warnings"),
    *_of("household", BOOKKEEPING, "state", "source", "language", "submitted_ms", "decided_ms", "decided_by",
         "not_before_ms", "evidence", "desk_id", "slot_ms", "letter_version", "letter_signed_ms", "observed_until_ms",
         "printed_ms", "collected_ms", "collected_by", "collected_note", "objection", "ended_ms", "doubt", "signs",
         "browser_mark", "address_mark", "verified_ms", "released_ms", "code_version", "code_ms", "code_tries"),
    *_of("vehicle", KEY, "compound_id", "household_id", "vehicle_id", "pass_id"),
    *_of("vehicle", VEHICLE, "plate"),
)  # fmt: skip


def asked_of_person(*groups: Group) -> tuple[str, ...]:
    """The form's fields of these groups, each once."""
    found = (field.asked for field in FIELDS if field.table == "person" and field.group in groups and field.asked)
    return tuple(dict.fromkeys(found))


def answers_of(*groups: Group) -> dict[str, Answer]:
    """Question → how it is asked, of these groups, in the order of the form."""
    return {name: answer for name, answer in ANSWERS.items() if answer.group in groups}


def exported_of_person() -> tuple[str, ...]:
    """Columns of the residents' register that a person's row has as they are shown."""
    return tuple(field.column for field in FIELDS if field.table == "person" and field.exported)


def emptied_by(clock: ClockName, table: TableName) -> tuple[str, ...]:
    """Columns of a table that are emptied when a clock runs out."""
    return tuple(field.column for field in FIELDS if field.table == table and field.group.clock == clock)
