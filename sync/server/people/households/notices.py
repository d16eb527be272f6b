"""Short messages to households: written down with the deed they tell of, sent later by a program of the town's own.

**At most once.** A notice counts as sent before the program runs; only where the program itself says that it failed
(another exit code than 0) is it tried again, five times in all and later each time. What nobody can know, because the
program was cut off or the machine stopped, is not sent a second time.
The page of the household is in the text only when it is sent, so that its address does not lie open in the database.
"""

from __future__ import annotations

import secrets
import subprocess
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, func, insert, or_, select, update

from sync.server.centre import tables
from sync.server.centre.places import Compound, all_compounds
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Centre, Writing
from sync.server.people.households.households import Household, link_of
from sync.server.people.households.slots import get_desk
from sync.server.people.public_address import public_address
from sync.server.words.pairs import Language, Pair, pick
from sync.server.words.review import NOTICES

PAUSES_MS = (0, 60_000, 600_000, 3_600_000, 6 * 3_600_000)
"""How long after the last try the next one may be; there is none after the last of these."""
PATIENCE_S = 60
BATCH = 500
_LONGEST = 300

_n, _h = tables.notice.c, tables.household.c
Outcome = Literal["sent", "failed", "unknown"]


class DueMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A notice that is to be sent now."""

    compound_id: int
    notice_id: str
    kind: str
    tries: int


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """What the program reads, as JSON, on its standard input. ``id`` stays the same over all tries."""

    phone: str
    text: str
    kind: str
    id: str


class Report(msgspec.Struct, kw_only=True):
    """What a run did. ``unknown``: the program was cut off, and nobody knows."""

    sent: int = 0
    failed: int = 0
    unknown: int = 0


class NoProgram(Exception):
    """The program that sends cannot be started. Nothing was marked as sent; try again when it is there."""


# Writing them down


def queue(writing: Writing, vault: Vault, household: Household, kind: str, words: Pair) -> None:
    """Tell a household something, in its language, once this transaction is done. ``kind`` is for the program that
    sends. Nothing is written for a household without a telephone."""
    mine = (_h.compound_id == household.compound_id, _h.household_id == household.household_id)
    sealed = writing.conn.execute(select(_h.sealed_phone).where(*mine)).scalar_one()
    if not sealed:
        return
    text = f"{_signed(writing.compound, _tongue(household))}{pick(_tongue(household), words)}"
    row = {"compound_id": writing.compound_id, "household_id": household.household_id,
           "notice_id": secrets.token_hex(8), "at_ms": writing.now_ms, "kind": kind,
           "sealed_phone": sealed, "words": _short(text)}  # fmt: skip
    writing.conn.execute(insert(tables.notice).values(row))


def tell_decision(writing: Writing, vault: Vault, household: Household) -> None:
    """Tell a household what was decided on its application. Why it has to wait stands on its page, not in a message
    that lies open on a telephone."""
    key = household.state
    if key == "approved" and household.desk_id:
        key = "approved_slot"
    if key in NOTICES:
        fields = _fields(writing.conn, writing.compound, household)
        zh, en = NOTICES[key]
        words = (zh.format(**fields["zh"]), en.format(**fields["en"]))
        queue(writing, vault, household, household.state, words)


def tell_additions(writing: Writing, vault: Vault, household: Household) -> None:
    """Tell a household that passes for those it added lie ready."""
    zh, en = NOTICES["addition"]
    words = (zh.format(number=household.number), en.format(number=household.number))
    queue(writing, vault, household, "addition", words)


def tell_dropped(writing: Writing, vault: Vault, household: Household, why: str) -> None:
    """Tell a household that one it added gets no pass, and why."""
    zh, en = NOTICES["dropped"]
    words = (zh.format(number=household.number, why=why), en.format(number=household.number, why=why))
    queue(writing, vault, household, "dropped", words)


def _fields(conn: Connection, compound: Compound, household: Household) -> dict[str, dict[str, str]]:
    zone = ZoneInfo(compound.timezone)

    def local(at_ms: int, form: str) -> str:
        return datetime.fromtimestamp(at_ms / 1000, zone).strftime(form)

    same = {"number": household.number, "told": household.told, "day": local(household.not_before_ms, "%Y-%m-%d"),
            "slot": local(household.slot_ms, "%Y-%m-%d %H:%M")}  # fmt: skip
    if not household.desk_id:
        return {"zh": same, "en": same}
    desk = get_desk(conn, compound.compound_id, household.desk_id)
    return {"zh": same | {"place": desk.place_zh}, "en": same | {"place": desk.place_en or desk.place_zh}}


def _tongue(household: Household) -> Language:
    return "en" if household.language == "en" else "zh"


def _signed(compound: Compound, tongue: Language) -> str:
    return f"[{compound.name_en}] " if tongue == "en" else f"【{compound.name_zh}】"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


# Sending them


def due(conn: Connection, compound_id: int, now_ms: int, at_most: int = BATCH) -> list[DueMessage]:
    """What is to be sent now, the oldest first."""
    first = (_n.tries == 0,)
    later = [(_n.tries == tries) & (_n.tried_ms <= now_ms - pause) for tries, pause in enumerate(PAUSES_MS) if tries]
    wanted = (
        select(_n.compound_id, _n.notice_id, _n.kind, _n.tries)
        .where(_n.compound_id == compound_id, _n.sent_ms == 0, or_(*first, *later))
        .order_by(_n.at_ms, _n.notice_id).limit(at_most)
    )  # fmt: skip
    return [DueMessage(**row) for row in conn.execute(wanted).mappings()]


def count_due(centre: Centre) -> dict[str, int]:
    """Kind → notices that are to be sent now, in all compounds."""
    found: dict[str, int] = {}
    with centre.store.read() as conn:
        for compound in all_compounds(conn):
            for notice in due(conn, compound.compound_id, centre.now_ms(), at_most=1_000_000):
                found[notice.kind] = found.get(notice.kind, 0) + 1
    return found


def send_due(centre: Centre, program: str) -> Report:
    """Run the program once for each notice that is due, and write down what came of it. Safe to run twice at a time.

    Raises NoProgram.
    """
    report = Report()
    with centre.store.read() as conn:
        waiting = [one for compound in all_compounds(conn) for one in due(conn, compound.compound_id, centre.now_ms())]
    for notice in waiting:
        message = _take(centre, notice)
        if message is not None:
            outcome = _run(centre, notice, program, message)
            setattr(report, outcome, getattr(report, outcome) + 1)
    return report


def _take(centre: Centre, notice: DueMessage) -> Message | None:
    """Mark it as sent, and read it; None where another run was faster."""
    mine = _of(notice)
    with centre.store.write() as conn:
        taken = update(tables.notice).where(*mine, _n.sent_ms == 0, _n.tries == notice.tries)
        marked = {"sent_ms": centre.now_ms(), "tried_ms": centre.now_ms(), "tries": notice.tries + 1}
        if not conn.execute(taken.values(**marked)).rowcount:
            return None
        wanted = select(_n.words, _n.sealed_phone, _h.household_id, _h.language, _h.number, _h.link_version).join(
            tables.household, (_h.compound_id == _n.compound_id) & (_h.household_id == _n.household_id)
        )
        row = conn.execute(wanted.where(*mine)).one()
        text = row.words + _where(conn, centre.vault, notice.compound_id, row)
    phone = centre.vault.unseal_text(row.sealed_phone)
    return Message(phone=phone, text=text, kind=notice.kind, id=f"{notice.compound_id}-{notice.notice_id}")


def _of(notice: DueMessage) -> tuple[Any, ...]:
    return _n.compound_id == notice.compound_id, _n.notice_id == notice.notice_id


def _where(conn: Connection, vault: Vault, compound_id: int, row: Any) -> str:
    """The address of the household's page, where the centre knows its own."""
    link = link_of(vault, compound_id, row.household_id, row.link_version)
    page = public_address(conn, f"/j/{compound_id}/s/{link}")
    return pick("en" if row.language == "en" else "zh", NOTICES["page"]).format(page=page) if page else ""


def _run(centre: Centre, notice: DueMessage, program: str, message: Message) -> Outcome:
    try:
        done = subprocess.run(  # noqa: S603 (the officer's own program, no shell, nothing of ours in its arguments)
            [program], input=msgspec.json.encode(message), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=PATIENCE_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "unknown"
    except OSError as err:
        _give_back(centre, notice, {"sent_ms": 0, "tries": notice.tries, "tried_ms": 0})
        raise NoProgram(f"{program} cannot be started: {err.strerror}") from err
    if done.returncode == 0:
        return "sent"
    if done.returncode < 0:
        return "unknown"
    _give_back(centre, notice, {"sent_ms": 0})
    return "failed"


def _give_back(centre: Centre, notice: DueMessage, values: dict[str, int]) -> None:
    with centre.store.write() as conn:
        conn.execute(update(tables.notice).where(*_of(notice)).values(**values))


def count_given_up(conn: Connection, compound_id: int) -> int:
    """Notices that failed at their last try."""
    given_up = (_n.compound_id == compound_id, _n.sent_ms == 0, _n.tries >= len(PAUSES_MS))
    return conn.execute(select(func.count()).select_from(tables.notice).where(*given_up)).scalar_one()
