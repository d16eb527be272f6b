"""What people say of themselves stands sealed.

No migration has the key. This one takes the words that stood in clear out of their columns into the table ``unsealed``;
``sync.server.people.keeping.sealing_old`` seals them from there, row by row, when the centre is opened.
"""

import json
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_SAID = ("birth", "arrived", "came_from", "transport", "transport_number", "contact", "health", "quarantine")
_CLEAR: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "person": (("person_id", "household_id"), _SAID),
    "household": (("household_id",),
                  ("told", "evidence", "warnings", "letter_name", "collected_note", "objection")),
    "visit": (("dwelling_id", "visit_id"), ("note",)),
    "audit": (("audit_id",), ("why",)),
    "notice": (("notice_id", "household_id"), ("words",)),
    "draft": (("draft_mark", "household_id"), ()),
    "upload": (("upload_mark",), ()),
}  # fmt: skip
"""Table: the rest of its rows' keys, and the columns whose words are to be sealed."""
_NEW = {
    "person": ("sealed_birth", "sealed_travel"),
    "household": ("sealed_told", "sealed_evidence", "sealed_warnings", "sealed_letter_name", "sealed_collected_note",
                  "sealed_objection"),
    "visit": ("sealed_note",), "audit": ("sealed_why",), "notice": ("sealed_words",),
}  # fmt: skip
_NEEDED = {"audit": "why <> ''", "visit": "note <> ''"}
"""Rows that have something to seal; of the other tables every row has."""
_STAYS = ("person_id", "province", "city", "district", "from_day", "until_day")
_SOME = 1000


def upgrade() -> None:
    """Add the sealed columns, put the words aside, drop the columns that held them."""
    op.create_table(
        "unsealed",
        sa.Column("compound_id", sa.Integer(), nullable=False),
        sa.Column("of", sa.Text(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["compound_id"], ["compound.compound_id"]),
        sa.PrimaryKeyConstraint("compound_id", "of", "row"),
    )
    op.add_column("compound", sa.Column("ages_day", sa.Text(), server_default="", nullable=False))
    op.add_column("person", sa.Column("age_band", sa.BigInteger(), server_default="-1", nullable=False))
    empty = sa.text("x''" if op.get_bind().dialect.name == "sqlite" else "''")
    for table, columns in _NEW.items():
        for column in columns:
            op.add_column(table, sa.Column(column, sa.LargeBinary(), server_default=empty, nullable=False))
    for compound_id in op.get_bind().execute(sa.text("SELECT compound_id FROM compound ORDER BY 1")).scalars().all():
        _put_aside(compound_id)
    op.drop_table("journey")
    for table, (_, columns) in _CLEAR.items():
        for column in columns:
            op.drop_column(table, column)


def _put_aside(compound_id: int) -> None:
    conn = op.get_bind()
    aside = sa.text('INSERT INTO unsealed (compound_id, "of", "row", words) VALUES (:compound_id, :of, :row, :words)')
    for table, (keys, columns) in _CLEAR.items():
        stays = _stays(compound_id) if table == "person" else {}
        for some in _pages(compound_id, table, keys, columns):
            conn.execute(aside, [
                {"compound_id": compound_id, "of": table, "row": json.dumps([_key(row[name]) for name in keys]),
                 "words": json.dumps(_words(row, columns, stays), ensure_ascii=False)}
                for row in some
            ])  # fmt: skip


def _pages(
    compound_id: int, table: str, keys: tuple[str, ...], columns: tuple[str, ...]
) -> Iterator[list[dict[str, object]]]:
    """Rows of a compound in pages, by their keys."""
    names = ", ".join((*keys, *columns))
    after: tuple[object, ...] | None = None
    first = keys if table == "visit" else keys[:1]
    while True:
        where = f"compound_id = :c AND {_NEEDED.get(table, '1 = 1')}"
        if after is not None:
            where += f" AND ({', '.join(first)}) > ({', '.join(f':k{n}' for n in range(len(first)))})"
        asked = f"SELECT {names} FROM {table} WHERE {where} ORDER BY {', '.join(first)} LIMIT {_SOME}"  # noqa: S608 (constants)
        values = {f"k{n}": value for n, value in enumerate(after or ())} | {"c": compound_id}
        rows = [dict(row) for row in op.get_bind().execute(sa.text(asked), values).mappings()]
        if not rows:
            return
        yield rows
        after = tuple(rows[-1][name] for name in first)


def _stays(compound_id: int) -> dict[int, list[list[str]]]:
    """Person → stays, in the order of the form."""
    asked = f"SELECT {', '.join(_STAYS)} FROM journey WHERE compound_id = :c ORDER BY person_id, seq"  # noqa: S608 (constants)
    found: dict[int, list[list[str]]] = {}
    for person_id, *stay in op.get_bind().execute(sa.text(asked), {"c": compound_id}):
        found.setdefault(person_id, []).append(stay)
    return found


def _words(row: dict[str, object], columns: tuple[str, ...], stays: dict[int, list[list[str]]]) -> dict[str, object]:
    words: dict[str, object] = {name: row[name] for name in columns}
    return words | ({"stays": stays.get(int(str(row["person_id"])), [])} if "person_id" in row else {})


def _key(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
