"""Age bands: what stands in clear in place of days of birth, brought up to date once a day.

A band turns on a birthday, and only the key knows birthdays: the first who looks at a compound's residents on a day has
its bands made anew.
"""

from __future__ import annotations

from datetime import date

from sqlalchemy import bindparam, select, update

from sync.server.centre import tables
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.people.households.field_groups import BIRTH
from sync.server.people.households.sealed_answers import KEYS, age_band, open_birth

_PAGE = 500
_p = tables.person.c


def bring_up_to_date(centre: Centre, compound: Compound, today: date) -> int:
    """Make the bands of a compound's people those of this day; how many changed. One look where they are already.

    Births are opened page by page while others write; only the bands that changed are written.
    """
    if compound.ages_day == today.isoformat():
        return 0
    turned = []
    with centre.store.read() as conn:
        wanted = select(*(_p[name] for name in (*KEYS, BIRTH)), _p.age_band).where(
            _p.compound_id == compound.compound_id
        )
        for number, row in enumerate(conn.execute(wanted, execution_options={"yield_per": _PAGE}).mappings()):
            if number % _PAGE == 0:
                centre.store.give_way()
            band = age_band(open_birth(centre.vault, row), today)
            if band != row["age_band"]:
                turned.append({"of": row["person_id"], "band": band})
    with centre.writing(compound.compound_id, "centre", even_stopped=True) as writing:
        if turned:
            mine = (_p.compound_id == compound.compound_id, _p.person_id == bindparam("of"))
            writing.conn.execute(update(tables.person).where(*mine).values(age_band=bindparam("band")), turned)
        of = tables.compound.c
        this = update(tables.compound).where(of.compound_id == compound.compound_id)
        writing.conn.execute(this.values(ages_day=today.isoformat()))
    return len(turned)
