"""Short messages to households: written down with the deed they tell of, sent later by a program of the town's own.

**At most once.** A notice counts as sent before the program runs; only where the program itself says that it failed
(another exit code than 0) is it tried again, five times in all and later each time. What nobody can know, because the
program was cut off or the machine stopped, is not sent a second time.
The page of the household is in the text only when it is sent, so that its address does not lie open in the database.
"""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, func, insert, or_, select, update

from sync.server.centre import sealing, tables
from sync.server.centre.places import Compound, all_compounds
from sync.server.centre.vault import Vault
from sync.server.centre.writing import Centre, Writing
from sync.server.people.households import phone_code
from sync.server.people.households.households import Household, Submitted, get_household, link_of
from sync.server.people.households.slots import get_desk
from sync.server.people.public_address import public_address
from sync.server.words.pairs import Language, Pair, pick
from sync.server.words.review import NOTICES

PAUSES_MS = (0, 60_000, 600_000, 3_600_000, 6 * 3_600_000)
"""How long after the last try the next one may be; there is none after the last of these."""
PATIENCE_S = 60
BATCH = 500
_LONGEST = 300
_DAY_MS = 86_400_000
_IN_BETWEEN = 20

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
    wanted = select(_h.compound_id, _h.household_id, _h.sealed_phone).where(*mine)
    home = writing.conn.execute(wanted).mappings().one()
    if not home["sealed_phone"]:
        return
    phone = sealing.open_words(vault, tables.household, home, "phone")["phone"]
    text = f"{_signed(writing.compound, _tongue(household))}{pick(_tongue(household), words)}"
    row = {"compound_id": writing.compound_id, "household_id": household.household_id,
           "notice_id": secrets.token_hex(8), "at_ms": writing.now_ms, "kind": kind}  # fmt: skip
    sealed = sealing.seal_words(vault, tables.notice, row, phone=phone, words=_short(text))
    writing.conn.execute(insert(tables.notice).values(row | sealed))


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


def tell_others(writing: Writing, vault: Vault, done: Submitted) -> None:
    """Tell those whom an application concerns beside its own household."""
    if done.gave_way:
        tell_released(writing, vault, done.gave_way)
    if done.repeats:
        _tell_applied_again(writing, vault, get_household(writing.conn, writing.compound_id, done.repeats))


def tell_released(writing: Writing, vault: Vault, household_id: int) -> None:
    """Tell a household that its slot went to somebody else, and that its application stands."""
    household = get_household(writing.conn, writing.compound_id, household_id)
    _queue_rarely(writing, vault, household, "slot_released")


def _tell_applied_again(writing: Writing, vault: Vault, first: Household) -> None:
    """Tell the telephone itself, and nobody who only knows its number, that it has applied already, and where."""
    _queue_rarely(writing, vault, first, "applied_again")


def _queue_rarely(writing: Writing, vault: Vault, household: Household, kind: str) -> None:
    """At most one of a kind to a telephone in a day: whoever sends forms in bulk makes others pay for no messages."""
    mine = (_h.compound_id == household.compound_id, _h.household_id == household.household_id)
    phone = select(_h.phone_mark).where(*mine).scalar_subquery()
    same = (_h.compound_id == _n.compound_id) & (_h.household_id == _n.household_id)
    lately = (
        select(_n.notice_id).join(tables.household, same)
        .where(_n.compound_id == household.compound_id, _n.kind == kind, _n.at_ms > writing.now_ms - _DAY_MS)
        .where(_h.phone_mark == phone).limit(1)
    )  # fmt: skip
    if writing.conn.execute(lately).first() is None:
        zh, en = NOTICES[kind]
        queue(writing, vault, household, kind, (zh.format(number=household.number), en.format(number=household.number)))


def queue_code(writing: Writing, vault: Vault, household: Household) -> None:
    """Send a household the code that counts now; it is put into the text only when that is sent."""
    queue(writing, vault, household, phone_code.KIND, NOTICES["code"])


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
    """What is to be sent now, the oldest first, but codes before all: somebody waits for them. One that would come when
    it is no longer good is never sent."""
    first = (_n.tries == 0,)
    later = [(_n.tries == tries) & (_n.tried_ms <= now_ms - pause) for tries, pause in enumerate(PAUSES_MS) if tries]
    wanted = (
        select(_n.compound_id, _n.notice_id, _n.kind, _n.tries)
        .where(_n.compound_id == compound_id, _n.sent_ms == 0, or_(*first, *later))
        .where((_n.kind != phone_code.KIND) | (_n.at_ms > now_ms - phone_code.LASTS_MS))
        .order_by(_n.kind != phone_code.KIND, _n.at_ms, _n.notice_id).limit(at_most)
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


def send_due(centre: Centre, program: str, at_most: int = BATCH) -> Report:
    """Run the program once for each notice that is due, at most so many in a compound, and write down what came of it.
    Safe to run twice at a time.

    Raises NoProgram.
    """
    report = Report()
    now_ms = centre.now_ms()
    with centre.store.read() as conn:
        waiting = [one for home in all_compounds(conn) for one in due(conn, home.compound_id, now_ms, at_most)]
    for notice in sorted(waiting, key=lambda one: one.kind != phone_code.KIND):
        message = _take(centre, notice)
        if message is not None:
            outcome = _run(centre, notice, program, message)
            setattr(report, outcome, getattr(report, outcome) + 1)
    return report


def follow(centre: Centre, program: str, wait: Callable[[], bool]) -> Report:
    """Send what is due again and again until ``wait`` says that it is enough. Little at a time, so that nobody's code
    waits behind hundreds of other notices. Raises NoProgram."""
    whole = Report()
    while True:
        done = send_due(centre, program, _IN_BETWEEN)
        for name in Report.__struct_fields__:
            setattr(whole, name, getattr(whole, name) + getattr(done, name))
        if wait():
            return whole


def _take(centre: Centre, notice: DueMessage) -> Message | None:
    """Mark it as sent, and read it; None where another run was faster."""
    mine = _of(notice)
    with centre.store.write() as conn:
        taken = update(tables.notice).where(*mine, _n.sent_ms == 0, _n.tries == notice.tries)
        marked = {"sent_ms": centre.now_ms(), "tried_ms": centre.now_ms(), "tries": notice.tries + 1}
        if not conn.execute(taken.values(**marked)).rowcount:
            return None
        keys = (_n[name] for name in sealing.key_of(tables.notice) if name != "household_id")
        columns = (_h.household_id, _h.language, _h.number, _h.link_version, _h.code_version)
        wanted = select(*keys, _n.sealed_words, _n.sealed_phone, *columns).join(
            tables.household, (_h.compound_id == _n.compound_id) & (_h.household_id == _n.household_id)
        )
        row = conn.execute(wanted.where(*mine)).one()
        opened = sealing.open_words(centre.vault, tables.notice, row._mapping, "words", "phone")
        text = _whole(conn, centre.vault, notice, opened["words"], row)
    return Message(phone=opened["phone"], text=text, kind=notice.kind, id=f"{notice.compound_id}-{notice.notice_id}")


def _whole(conn: Connection, vault: Vault, notice: DueMessage, words: str, household: Any) -> str:
    """The text with what does not lie open in the database: the code, or the address of the household's page."""
    if notice.kind != phone_code.KIND:
        return words + _where(conn, vault, notice.compound_id, household)
    code = phone_code.code_of(vault, notice.compound_id, household.household_id, household.code_version)
    return words.replace("{code}", code)


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
    given_up = (_n.compound_id == compound_id, _n.sent_ms == 0, _n.tries >= len(PAUSES_MS), _n.kind != phone_code.KIND)
    return conn.execute(select(func.count()).select_from(tables.notice).where(*given_up)).scalar_one()
