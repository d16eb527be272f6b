"""Households for tests: a form filled in well, a desk, and one call from the form to the decision."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
from sqlalchemy import insert

from sync.server import tables
from sync.server.centre import Centre, next_number
from sync.server.people import households, identity
from sync.server.people.application import Applicant, Application
from sync.server.people.households import Submitted

SIGNATURE = "M10 200 " + " ".join(f"L{x} {200 + x % 90}" for x in range(20, 400, 10))
PHONE = "13800138000"
_numbers = itertools.count(100)


def id_number(serial: int, birth: str = "19800102", province: str = "420106") -> str:
    """A made-up identity number with a good checksum; an even ``serial`` is a woman's."""
    front = f"{province}{birth}{serial % 1000:03d}"
    return front + identity.id_checksum(front)


def applicant(**changes: Any) -> Applicant:
    """One adult who answered everything and was in town all the time."""
    fields: dict[str, Any] = {
        "name": "张伟", "relation": "owner", "doc_kind": "id_card", "doc_number": id_number(next(_numbers)),
        "phone": PHONE, "province": "湖北", "city": "武汉", "arrived": "2015-03-01", "came_from": "湖北 孝感",
        "transport": "train", "transport_number": "G1234", "stayed": "yes", "contact": "no", "health": "well",
        "quarantine": "no",
    }  # fmt: skip
    return Applicant(**(fields | changes))


def application(**changes: Any) -> Application:
    """A household of one adult, signed."""
    fields: dict[str, Any] = {
        "dwelling": "3-2-501", "people": [applicant()], "letter_name": "张伟", "signature": SIGNATURE,
    }  # fmt: skip
    return Application(**(fields | changes))


def family() -> Application:
    """Three people and a car."""
    people = [
        applicant(), applicant(name="李芳", relation="family", phone="13900139000"),
        applicant(name="张小宝", relation="family", phone="", doc_number=id_number(next(_numbers), "20180506")),
    ]  # fmt: skip
    return application(people=people, plates=["粤BD12345"])


def apply(centre: Centre, compound_id: int = 7, form: Application | None = None) -> Submitted:
    """Submit a form."""
    return households.submit(centre, compound_id, form or application(), "resident")


def approved(centre: Centre, compound_id: int = 7, form: Application | None = None) -> Submitted:
    """Submit a form and approve it."""
    done = apply(centre, compound_id, form)
    with centre.writing(compound_id, "wang") as writing:
        households.approve(writing, centre, done.household_id)
    return done


def add_dwelling(centre: Centre, compound_id: int = 7, building: str = "3", unit: str = "2", room: str = "501") -> int:
    """A room of the register."""
    with centre.writing(compound_id, "wang") as writing:
        dwelling_id = next_number(writing.conn, compound_id, "dwelling")
        row = {"compound_id": compound_id, "dwelling_id": dwelling_id, "building": building, "unit": unit,
               "floor": int(room[:-2]), "room": room, "name": f"{building}-{unit}-{room}",
               "place": f"{building:0>4}|{unit:0>4}|{room:0>6}", "proposed": False}  # fmt: skip
        writing.conn.execute(insert(tables.dwelling).values(row))
        return dwelling_id


def add_desk(centre: Centre, compound_id: int = 7, **changes: Any) -> int:
    """A desk that is open every day from eight to twelve, two households in a quarter of an hour."""
    with centre.writing(compound_id, "wang") as writing:
        desk_id = next_number(writing.conn, compound_id, "desk")
        row: dict[str, Any] = {
            "compound_id": compound_id, "desk_id": desk_id, "name_zh": "一号台", "name_en": "Desk 1",
            "place_zh": "物业一楼", "place_en": "Property office, ground floor", "capacity": 2,
            "hours": msgspec.json.encode([(480, 720)]).decode(), "from_day": "2020-01-01", "until_day": "2099-12-31",
            "weekdays": "1,2,3,4,5,6,7", "buildings": "", "paper": False,
        }  # fmt: skip
        writing.conn.execute(insert(tables.desk).values(row | changes))
        return desk_id
