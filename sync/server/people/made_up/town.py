"""A whole town that does not exist, written as if it had been entered: for demonstrations and for measurements.

Who lives there, where, and what happened to each application is the same for the same seed, numbers of compounds and
day; keys, links, pass serials' random parts and short codes are drawn anew, as secrets must be. There is no account in
it that could sign in, and no device whose token anybody has.
"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
from nacl.public import PrivateKey
from sqlalchemy import bindparam, insert, select, update

from sync.protocol import CHAIN_START, EnrolRequest, EventUpload, chain, read_enrolment_code
from sync.server.centre import tables
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound, get_compound
from sync.server.centre.sealing import seal_words
from sync.server.centre.writing import Centre, Writing, next_number
from sync.server.gates import events, fleet
from sync.server.gates.fleet import Device
from sync.server.passes import compounds, passes
from sync.server.people.dwellings import dwellings, roster
from sync.server.people.dwellings.pattern import Pattern
from sync.server.people.home import get_home, put_home
from sync.server.people.households import areas, households, slots
from sync.server.people.households.application import Application, read_form
from sync.server.people.households.warnings import find_warnings
from sync.server.people.made_up.families import EPIDEMIC_AREAS, MEAN_SIZE, REGIONS, MadeUp, draw_sizes

DAYS = 22
"""So many days ago the first compound began."""
LARGEST = 7000
"""Dwellings of the largest compound, where the town is large enough for it."""
_APPLIED = 0.735
_KNOWN = 0.6
_DAY_MS = 86_400_000
_STATES = {"collected": 60, "approved": 15, "applied": 15, "correct": 3, "observe": 2, "not_here": 1.5, "moved": 2,
           "cancelled": 1.5}  # fmt: skip
_FOUND = {"": 55, "vacant": 22, "nobody": 12, "present": 5, "refused": 2, "moved": 3, "not_here": 1}
_TOLD = ("请补充15天内到过的区县。", "请核对房号。", "车牌号与行驶证不一致，请核对。", "请填写同住老人的证件号。")
_COMMUNITIES = (("翠湖社区", "Cuihu Community"), ("滨江社区", "Binjiang Community"), ("东园社区", "Dongyuan Community"),
                ("长青社区", "Changqing Community"))  # fmt: skip
_FIRST_WORDS = (("翠湖", "Cuihu"), ("滨江", "Binjiang"), ("锦绣", "Jinxiu"), ("阳光", "Yangguang"),
                ("东方", "Dongfang"), ("金色", "Jinse"), ("碧水", "Bishui"),
                ("桂花", "Guihua"), ("梧桐", "Wutong"), ("长青", "Changqing"),
                ("和平", "Heping"), ("南山", "Nanshan"), ("紫荆", "Zijing"), ("江南", "Jiangnan"))  # fmt: skip
_LAST_WORDS = (
    ("花园", "Garden"),
    ("家园", "Homes"),
    ("新村", "New Village"),
    ("名邸", "Residence"),
    ("公寓", "Apartments"),
)
_GATES = (("东门", "East gate"), ("南门", "South gate"), ("西门", "West gate"))


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """What was made."""

    compounds: int
    dwellings: int
    households: int
    residents: int
    passes: int
    events: int


class HouseholdPlan(NamedTuple):
    """One household before it is written: its form, when it came, and what became of it."""

    form: Application
    submitted_ms: int
    stage: str


def make_town(centre: Centre, number: int, residents: int, seed: int, add: bool, by: str,
              tell: Callable[[int], None]) -> Made:  # fmt: skip
    """A number of compounds that share a number of residents; ``tell`` hears how many people each step wrote.

    Raises CentreError on a centre that has compounds already, unless told to ``add``.
    """
    if not 1 <= number <= 500 or not number <= residents <= 5_000_000:
        raise CentreError(en="A town has 1 to 500 compounds, and at least one resident in each.")
    if compounds.list_compounds(centre) and not add:
        raise CentreError(
            en="This centre has compounds already; demonstration data is for an empty one. --add goes on."
        )
    _prepare_town(centre, by)
    taken: set[str] = set()
    elsewhere: list[Application] = []
    made = []
    shares = _shares(number, residents, Random(f"{seed}/shares"))  # noqa: S311 (the same town again, on purpose)
    for place, share in enumerate(shares):
        one = _Estate(centre, by, place, f"{seed}/{place}", share, taken, elsewhere)
        made.append(one.make())
        tell(share)
    return Made(compounds=number, **{field: sum(getattr(one, field) for one in made)
                                     for field in Made.__struct_fields__ if field != "compounds"})  # fmt: skip


def _shares(number: int, residents: int, rng: Random) -> list[int]:
    """Residents of each compound; the first is the largest where the town is large enough for it."""
    largest = round(LARGEST * _APPLIED * MEAN_SIZE)
    first = [largest] if number > 1 and residents > 2 * largest else []
    weights = [rng.uniform(0.4, 1.6) for _ in range(number - len(first))]
    left = residents - sum(first) - len(weights)
    edges = [round(left * part / sum(weights)) for part in itertools.accumulate(weights, initial=0.0)]
    return first + [1 + end - begin for begin, end in itertools.pairwise(edges)]


def _prepare_town(centre: Centre, by: str) -> None:
    """Say where here is, unless somebody has, and put the areas people travelled through on the town's list."""
    begun = datetime.fromtimestamp(centre.now_ms() / 1000, ZoneInfo("Asia/Shanghai")).date() - timedelta(days=DAYS + 15)
    with centre.store.read() as conn:
        home = get_home(conn)
        known = {(area.province, area.city, area.district) for area in areas.list_areas(conn)}
    if home is None:
        put_home(centre, REGIONS[0].province, REGIONS[0].city, by)
    for province, city, district in EPIDEMIC_AREAS:
        if (province, city, district) not in known:
            area = areas.Area(province=province, city=city, district=district, from_day=begun.isoformat())
            areas.add_area(centre, area, by)


class _Estate:
    """One compound being made."""

    def __init__(self, centre: Centre, by: str, place: int, seed: str, residents: int, taken: set[str],
                 elsewhere: list[Application]):  # fmt: skip
        self.centre = centre
        self.by = by
        self.place = place
        self.rng = Random(seed)  # noqa: S311 (the same people again, on purpose)
        self.taken = taken
        self.elsewhere = elsewhere
        self.sizes = draw_sizes(self.rng, residents)
        self.residents = residents
        self.now_ms = centre.now_ms()
        self.began_ms = self.now_ms - DAYS * _DAY_MS
        self.zone = ZoneInfo("Asia/Shanghai")

    def make(self) -> Made:
        before = _at(self.centre, self.began_ms)
        compound = self._add_compound(before)
        devices = self._enrol_gates(before, compound)
        with self.centre.writing(compound.compound_id, self.by) as writing:
            homes = self._add_dwellings(writing)
            self._add_desks(writing, len(self.sizes))
            issued = _Households(self, writing, homes).write()
        return Made(
            compounds=1, dwellings=len(homes), households=len(self.sizes), residents=self.residents, passes=issued,
            events=self._pass_gates(compound.compound_id, devices),
        )  # fmt: skip

    # The place

    def _add_compound(self, before: Centre) -> Compound:
        known = {compound.name_zh for compound in compounds.list_compounds(self.centre)}
        name_zh, name_en = next(name for name in _names(self.place) if name[0] not in known)
        made = compounds.add_compound(before, name_zh, name_en, self.zone.key, None, self.by)
        community = _COMMUNITIES[0] if self.place < 25 else _COMMUNITIES[1 + self.place % (len(_COMMUNITIES) - 1)]
        with before.writing(made.compound_id, self.by) as writing:
            mine = tables.compound.c.compound_id == made.compound_id
            named = {"community_zh": community[0], "community_en": community[1]}
            writing.conn.execute(update(tables.compound).where(mine).values(named))
            return get_compound(writing.conn, made.compound_id)

    def _enrol_gates(self, before: Centre, compound: Compound) -> list[Device]:
        """Gates with a device each, whose token and key nobody has; a real one takes its place by a new code."""
        devices = []
        for name, _ in _GATES[: 2 + (len(self.sizes) > 800)]:
            code = fleet.add_gate(before, compound.compound_id, name, self.by)
            _, secret = read_enrolment_code(code.enrolment_code)
            request = EnrolRequest(v=1, secret=secret, token_hash=secrets.token_bytes(32),
                                   box_public=bytes(PrivateKey.generate().public_key))  # fmt: skip
            device = fleet.enrol(before, request)
            devices.append(Device(compound.compound_id, device.device, device.gate, "active"))
        return devices

    def _add_dwellings(self, writing: Writing) -> list[dwellings.Dwelling]:
        """The register, with what visits found where nobody applied."""
        writing.now_ms = self.began_ms
        wanted = LARGEST if len(self.sizes) > 4000 else round(len(self.sizes) / _APPLIED) + 1
        added = dwellings.insert_many(writing, itertools.islice(_pattern(self.rng, wanted).addresses(), wanted))
        writing.audit("dwellings", f"+{added.new}")
        return [room for building in dwellings.buildings(writing.conn, writing.compound_id)
                for unit in dwellings.units(writing.conn, writing.compound_id, building)
                for room in dwellings.rooms(writing.conn, writing.compound_id, building, unit)]  # fmt: skip

    def _add_desks(self, writing: Writing, number: int) -> None:
        for place in range(1 + number // 1500):
            self._add_desk(writing, f"{place + 1}号台", f"Desk {place + 1}", False, 4 + number // 400)
        self._add_desk(writing, "纸质办理台", "Desk for paper forms", True, 2 + number // 4000)

    def _add_desk(self, writing: Writing, name_zh: str, name_en: str, paper: bool, capacity: int) -> None:
        begun = self.day(self.began_ms)
        row = {
            "compound_id": writing.compound_id, "desk_id": next_number(writing.conn, writing.compound_id, "desk"),
            "name_zh": name_zh, "name_en": name_en, "place_zh": "物业服务中心一楼",
            "place_en": "Property office, ground floor", "capacity": capacity, "paper": paper,
            "hours": msgspec.json.encode([(510, 720), (840, 1080)]).decode(), "from_day": begun.isoformat(),
            "until_day": (begun + timedelta(days=120)).isoformat(), "weekdays": "1,2,3,4,5,6,7", "buildings": "",
        }  # fmt: skip
        writing.conn.execute(insert(tables.desk).values(row))
        writing.audit("desk", name_zh)

    # Times

    def day(self, at_ms: int) -> date:
        return datetime.fromtimestamp(at_ms / 1000, self.zone).date()

    def at(self, day: date, hour: float) -> int:
        """That hour of a day, or a minute ago where it has not come yet."""
        moment = datetime.combine(day, time.min, self.zone) + timedelta(hours=hour)
        return min(int(moment.timestamp() * 1000), self.now_ms - 60_000)

    # People at the gates

    def _pass_gates(self, compound_id: int, devices: Sequence[Device]) -> int:
        """A few days of events; some of those whose passes are old enough came through no gate."""
        shown = list(self._presentations(compound_id))
        taken = 0
        for place, device in enumerate(devices):
            mine = sorted(moment for moment in shown if moment[1] % len(devices) == place)
            taken += _upload(self.centre, device, [text for moment in mine for text in _texts(compound_id, moment)])
        return taken

    def _presentations(self, compound_id: int) -> Iterator[tuple[int, int, str]]:
        """(time, serial, direction) of everybody who came by in the last five days."""
        columns, of = tables.credential.c, tables.pass_.c
        wanted = (
            select(columns.serial, of.created_ms)
            .join(tables.pass_, (of.compound_id == columns.compound_id) & (of.pass_id == columns.pass_id))
            .where(columns.compound_id == compound_id, columns.state == "active", of.state == "active")
            .order_by(columns.serial)
        )
        with self.centre.store.read() as conn:
            active = conn.execute(wanted).all()
        for serial, created_ms in active:
            for _ in range(self.rng.choice((0, 0, 0, 1, 1, 1))):
                away_ms = self.rng.randrange(5 * _DAY_MS)
                day = self.day(self.now_ms - away_ms)
                hour = self.rng.choice((7.5, 8, 9, 11, 12, 17, 18, 18.5, 20)) + self.rng.random()
                yield max(created_ms, self.at(day, hour)), serial, "in" if hour > 11 else "out"


class _Households:
    """The households of one compound, written in the order in which they came."""

    def __init__(self, estate: _Estate, writing: Writing, homes: Sequence[dwellings.Dwelling]):
        self.estate = estate
        self.writing = writing
        self.rng = estate.rng
        self.vault = estate.centre.vault
        self.compound_id = writing.compound_id
        self.homes = homes
        self.plans = self._plans()
        self.first = self._numbers("household", len(self.plans))
        self.rows: list[dict[str, Any]] = []
        self.people: list[dict[str, Any]] = []
        self.vehicles: list[dict[str, Any]] = []
        self.done: list[dict[str, Any]] = []

    def write(self) -> int:
        """How many passes were issued."""
        self._make_rows()
        self._know_some()
        issued = self._issue()
        self._book()
        written = ((tables.household, self.rows), (tables.person, self.people), (tables.vehicle, self.vehicles),
                   (tables.audit, self.done))  # fmt: skip
        for table, rows in written:
            if rows:
                self.writing.conn.execute(insert(table), rows)
        self._end_passes()
        self._visit()
        self.writing.now_ms = self.estate.now_ms
        self._warn()
        return issued

    def _numbers(self, name: str, count: int) -> int:
        return next_number(self.writing.conn, self.compound_id, name, count) if count else 0

    # Forms

    def _plans(self) -> list[HouseholdPlan]:
        rng, estate = self.rng, self.estate
        maker = MadeUp(rng, estate.day(estate.now_ms), estate.taken)
        homes = rng.sample(self.homes, len(estate.sizes))
        plans = []
        for size, home in zip(estate.sizes, homes, strict=True):
            stage = rng.choices(list(_STATES), list(_STATES.values()))[0]
            submitted_ms = self._submitted(stage)
            unknown = stage == "applied" and rng.random() < 0.03
            typed = (0, "", f"{home.building}栋{home.room}室")
            place = typed if unknown else (home.dwelling_id, home.building, home.name)
            form = maker.application(size, place, estate.day(submitted_ms))
            self._twice(form)
            plans.append(HouseholdPlan(form, submitted_ms, stage))
        return sorted(plans, key=lambda plan: plan.submitted_ms)

    def _submitted(self, stage: str) -> int:
        """Those that wait came in the last days, the others were first."""
        days = self.rng.uniform(0, 4) if stage in households.OPEN_STATES else DAYS - 1 - 17 * self.rng.random() ** 1.6
        day = self.estate.day(self.estate.now_ms - int(days * _DAY_MS))
        return self.estate.at(day, self.rng.uniform(7, 22.5))

    def _twice(self, form: Application) -> None:
        """Now and then somebody has applied in another compound already."""
        elsewhere = self.estate.elsewhere
        if elsewhere and self.rng.random() < 0.004:
            form.people[0] = msgspec.structs.replace(self.rng.choice(elsewhere).people[0], journeys=[], stayed="yes")
            form.letter_name = form.people[0].name
        elif self.rng.random() < 0.02:
            elsewhere.append(form)

    # Rows

    def _make_rows(self) -> None:
        person_id = self._numbers("person", sum(len(plan.form.people) for plan in self.plans))
        vehicle_id = self._numbers("vehicle", sum(len(plan.form.plates) for plan in self.plans))
        for household_id, plan in enumerate(self.plans, self.first):
            form = read_form(plan.form, self.estate.day(plan.submitted_ms))
            today = self.estate.day(self.estate.now_ms)
            dwelling_id = plan.form.dwelling_id
            row = households.new_row(self.vault, form, self.compound_id, household_id, dwelling_id, plan.submitted_ms)
            self.rows.append(_EMPTY | row | self._outcome(plan, row))
            self._note(plan.submitted_ms, "resident", "apply", row["number"], household_id)
            for place, checked in enumerate(form.people):
                keys = {"compound_id": self.compound_id, "household_id": household_id, "person_id": person_id}
                person = households.person_row(self.vault, checked, keys, today)
                self.people.append(keys | {"place": place, "known": False, "pass_id": 0} | person)
                person_id += 1
            for plate in form.plates:
                self.vehicles.append({"compound_id": self.compound_id, "household_id": household_id,
                                      "vehicle_id": vehicle_id, "plate": plate, "pass_id": 0})  # fmt: skip
                vehicle_id += 1

    def _outcome(self, plan: HouseholdPlan, row: dict[str, Any]) -> dict[str, Any]:
        """What became of it: the columns that differ from a form just sent."""
        if plan.stage == "applied":
            return {}
        estate = self.estate
        decided_ms = max(estate.at(estate.day(plan.submitted_ms + _DAY_MS), 9.5), plan.submitted_ms + 1)
        later = estate.day(decided_ms + self.rng.randint(1, 3) * _DAY_MS)
        later_ms = max(estate.at(later, self.rng.choice(_OFFICE_HOURS)), decided_ms + 1)
        return {
            "state": "approved" if plan.stage == "collected" else plan.stage, "decided_ms": decided_ms,
            "decided_by": estate.by, **self._after(plan.stage, decided_ms, later_ms),
            **seal_words(self.vault, tables.household, row, **self._words(plan.stage)),
        }  # fmt: skip

    def _after(self, stage: str, decided_ms: int, later_ms: int) -> dict[str, Any]:
        rng, in_days = self.rng, self.estate.now_ms + self.rng.randint(2, 12) * _DAY_MS
        match stage:
            case "collected":
                slot_ms = later_ms // slots.QUARTER_MS * slots.QUARTER_MS
                home_quarantine = {"observed_until_ms": in_days} if rng.random() < 0.006 else {}
                return {"collected_ms": later_ms, "collected_by": self.estate.by, "printed_ms": decided_ms,
                        "desk_id": 1, "slot_ms": slot_ms, **home_quarantine}  # fmt: skip
            case "approved":
                return {"printed_ms": decided_ms + 1 if rng.random() < 0.5 else 0}
            case "observe":
                return {"not_before_ms": in_days}
            case "correct" | "not_here":
                return {}
        return {"ended_ms": later_ms}

    def _words(self, stage: str) -> dict[str, str]:
        match stage:
            case "correct":
                return {"told": self.rng.choice(_TOLD)}
            case "observe":
                return {"told": "15天观察期未满，请按日期再来。"}
            case "not_here":
                return {"objection": "我是租户，合同在房东处。" if self.rng.random() < 0.2 else ""}
        return {}

    def _note(self, at_ms: int, by: str, what: str, about: str, household_id: int) -> None:
        self.done.append({"compound_id": self.compound_id, "audit_id": secrets.token_hex(8), "at_ms": at_ms, "by": by,
                          "what": what, "about": about, "household": household_id})  # fmt: skip

    def _know_some(self) -> None:
        """The list the community had before: most of these, and some who never applied."""
        known = [row for row in self.people if row["doc_mark"] and self.rng.random() < _KNOWN]
        for row in known:
            row["known"] = True
        gone = [self.vault.mark("doc", f"id_card:gone{place}") for place in range(len(known) // 9)]
        self.writing.now_ms = self.estate.began_ms
        roster.add_roster(self.writing, [row["doc_mark"] for row in known] + gone)

    # Passes

    def _issue(self) -> int:
        """Every person and vehicle of those that were ever approved gets a pass, a day's decisions in one go."""
        wanted: dict[int, list[tuple[dict[str, Any], passes.Order]]] = {}
        homes = {row["household_id"]: row for row in self.rows}
        for owner in itertools.chain(self.people, self.vehicles):
            home = homes[owner["household_id"]]
            if home["state"] in ("approved", "moved"):
                wanted.setdefault(home["decided_ms"], []).append((owner, self._order(owner, home)))
        for at_ms in sorted(wanted):
            self.writing.now_ms = at_ms
            issued = passes.issue_in(self.writing, self.estate.centre, [order for _, order in wanted[at_ms]])
            for (owner, order), row in zip(wanted[at_ms], issued, strict=True):
                owner["pass_id"] = row["pass_id"]
                if order.active:
                    self._note(homes[order.household]["collected_ms"], self.estate.by, "hand-over", row["number"], 0)
        for row in self.rows:
            if row["decided_ms"]:
                what = "household" if row["ended_ms"] else "decide"
                self._note(row["ended_ms"] or row["decided_ms"], self.estate.by, f"{what}-{row['state']}",
                           row["number"], row["household_id"])  # fmt: skip
        return sum(len(orders) for orders in wanted.values())

    def _order(self, owner: dict[str, Any], home: dict[str, Any]) -> passes.Order:
        of = {"kind": "vehicle", "plate": owner["plate"]} if "plate" in owner else {
            "kind": owner["kind"], "label": passes.masked(owner["name"])}  # fmt: skip
        return passes.Order(
            valid_from_ms=home["decided_ms"], valid_until_ms=home["decided_ms"] + passes.DEFAULT_VALIDITY_MS,
            dwelling=home["dwelling"], household=home["household_id"], active=home["collected_ms"] > 0, **of,
        )  # fmt: skip

    def _end_passes(self) -> None:
        """Of those who moved they are revoked, of those in home quarantine the guard looks; a few are lost."""
        self._change_passes([row["household_id"] for row in self.rows if row["state"] == "moved"], state="revoked")
        watched = [row["household_id"] for row in self.rows if row["observed_until_ms"]]
        self._change_passes(watched, attention=True, look=households.QUARANTINE_LOOK)
        self.writing.now_ms = self.estate.now_ms
        lost = [row["pass_id"] for row in self.people if row["pass_id"] and self.rng.random() < 0.001]
        of = tables.pass_.c
        found = select(of.number).where(of.compound_id == self.compound_id, of.pass_id.in_(lost), of.state == "active")
        for number in self.writing.conn.execute(found.order_by(of.pass_id)).scalars().all():
            passes.reissue_in(self.writing, self.estate.centre, number, ("card",))

    def _change_passes(self, theirs: Sequence[int], **values: Any) -> None:
        of = tables.pass_.c
        for at in range(0, len(theirs), 500):
            which = (of.compound_id == self.compound_id, of.household.in_(theirs[at : at + 500]))
            self.writing.conn.execute(update(tables.pass_).where(*which).values(**values))

    # Slots, warnings, visits

    def _book(self) -> None:
        """Those who have not collected come in the next days, no more of them at a time than a desk takes."""
        self.writing.now_ms = self.estate.now_ms
        free: dict[bool, list[tuple[int, int]]] = {}
        for paper in (False, True):
            offered = slots.offer(self.writing.conn, self.writing.compound, "", self.estate.now_ms, paper)
            free[paper] = [(slot.desk_id, slot.at_ms) for slot in offered for _ in range(slot.left)]
            self.rng.shuffle(free[paper])
        for row in self.rows:
            waiting = row["state"] in slots.HELD_STATES and not row["collected_ms"]
            places = free[row["source"] == "paper"]
            if waiting and places and self.rng.random() < 0.85:
                row["desk_id"], row["slot_ms"] = places.pop()

    def _warn(self) -> None:
        """What an officer should look at, of everybody who waits."""
        for row in self.rows:
            if row["state"] in households.OPEN_STATES:
                codes = ",".join(find_warnings(self.writing, row["household_id"]))
                if codes:
                    households.set_state(self.writing, row["household_id"], warnings=codes)

    def _visit(self) -> None:
        """What was found behind doors from which nobody applied."""
        applied = {row["dwelling_id"] for row in self.rows if row["state"] in slots.HELD_STATES}
        visits = []
        for home in self.homes:
            found = self.rng.choices(list(_FOUND), list(_FOUND.values()))[0]
            if home.dwelling_id not in applied and found:
                at_ms = self.estate.at(self.estate.day(self.estate.began_ms + self.rng.randrange(DAYS) * _DAY_MS), 19)
                visits.append({"compound_id": self.compound_id, "dwelling_id": home.dwelling_id, "at_ms": at_ms,
                               "visit_id": secrets.token_hex(8), "by": self.estate.by, "found": found})  # fmt: skip
                self._note(at_ms, self.estate.by, "visit", f"{home.name}: {found}", 0)
        if visits:
            self._put_visits(visits)

    def _put_visits(self, visits: list[dict[str, Any]]) -> None:
        columns = tables.dwelling.c
        self.writing.conn.execute(insert(tables.visit), visits)
        mine = (columns.compound_id == self.compound_id, columns.dwelling_id == bindparam("of"))
        found = update(tables.dwelling).where(*mine).values(found=bindparam("what"), found_ms=bindparam("at"))
        seen = [{"of": row["dwelling_id"], "what": row["found"], "at": row["at_ms"]} for row in visits]
        self.writing.conn.execute(found, seen)


_OFFICE_HOURS = (8.75, 9.5, 10, 11.25, 14.5, 15.75, 16.5)
_EMPTY: dict[str, Any] = {
    "decided_ms": 0, "decided_by": "", "sealed_told": b"", "not_before_ms": 0, "desk_id": 0, "slot_ms": 0,
    "observed_until_ms": 0, "printed_ms": 0, "collected_ms": 0, "collected_by": "", "sealed_objection": b"",
    "ended_ms": 0,
}  # fmt: skip


def _at(centre: Centre, at_ms: int) -> Centre:
    """This centre as it was at another time."""
    return Centre(dataclasses.replace(centre.settings, clock=lambda: at_ms), centre.store, centre.vault)


def _names(place: int) -> Iterator[tuple[str, str]]:
    """Names for the compound at a place, the one meant for it first, endlessly."""
    for number in itertools.count(place):
        first = _FIRST_WORDS[number % len(_FIRST_WORDS)]
        last = _LAST_WORDS[number // len(_FIRST_WORDS) % len(_LAST_WORDS)]
        phase = number // (len(_FIRST_WORDS) * len(_LAST_WORDS))
        zh, en = (f"{phase + 1}期", f" Phase {phase + 1}") if phase else ("", "")
        yield f"{first[0]}{last[0]}{zh}", f"{first[1]} {last[1]}{en}"


def _pattern(rng: Random, wanted: int) -> Pattern:
    """Buildings that hold at least ``wanted`` dwellings: four to forty of them where that can be."""
    kinds = list(itertools.product((6, 7, 11, 18, 26, 33), (1, 2, 3), range(2, 7)))
    fitting = [kind for kind in kinds if 4 <= -(-wanted // (kind[0] * kind[1] * kind[2])) <= 40]
    floors, units, doors = rng.choice(fitting or [kinds[0] if wanted < 100 else kinds[-1]])
    return Pattern(
        buildings=tuple(str(n + 1) for n in range(-(-wanted // (floors * units * doors)))),
        units=tuple(str(n + 1) for n in range(units)), floors=tuple(range(1, floors + 1)),
        doors=tuple(f"{n + 1:02d}" for n in range(doors)),
    )  # fmt: skip


# Events


def _texts(compound_id: int, moment: tuple[int, int, str]) -> Iterator[str]:
    """What a gate writes of one presentation: a decision, and mostly a passage."""
    at_ms, serial, direction = moment
    happening = f"{at_ms:x}{serial:x}"
    refused = serial % 41 == 0
    lane = {"lane": direction, "direction": direction}
    decided = {"id": happening, "kind": "decided", "at_ms": at_ms, "clock": "trusted", **lane,
               "outcome": "refer" if refused else "grant", "reason": "passback" if refused else "ok",
               "scope": compound_id, "serial": serial, "source": "camera"}  # fmt: skip
    yield msgspec.json.encode(decided).decode()
    if not refused:
        passed = {"id": f"{happening}p", "kind": "passage", "at_ms": at_ms + 2_500, "clock": "trusted", **lane,
                  "outcome": "passed", "about": happening, "commanded_ms": at_ms + 200}  # fmt: skip
        yield msgspec.json.encode(passed).decode()


def _upload(centre: Centre, device: Device, texts: list[str]) -> int:
    """Send a journal up in batches, as the device would."""
    journal, running = secrets.token_hex(8), CHAIN_START
    for at in range(0, len(texts), 500):
        batch = texts[at : at + 500]
        upload = EventUpload(v=1, journal_id=journal, first_seq=at + 1, before=running, events=batch)
        events.take_events(centre, device, upload)
        for text in batch:
            running = chain(running, text)
    return len(texts)
