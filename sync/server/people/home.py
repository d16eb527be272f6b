"""Where "here" is: the place whose registered residents are counted as registered here."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from sync.server.centre import audit
from sync.server.centre.errors import CentreError
from sync.server.centre.writing import Centre
from sync.server.people.identity import one_line
from sync.server.people.town_setting import put_setting, read_setting

_NAME = "home"
_LONGEST = 30
_ENDINGS = ("省", "市", "自治区", "特别行政区", "自治州", "地区", "盟")


class Home(msgspec.Struct, frozen=True):
    """A province and a city, as people write them, with or without 省, 市 and the like."""

    province: str
    city: str

    @property
    def provinces(self) -> list[str]:
        return _spellings(self.province)

    @property
    def cities(self) -> list[str]:
        return _spellings(self.city)

    def has(self, province: str, city: str) -> bool:
        """Whether somebody registered there is registered here."""
        return province in self.provinces and city in self.cities


def _spellings(name: str) -> list[str]:
    """Every way the name may be written on a form."""
    bare = next((name.removesuffix(end) for end in _ENDINGS if name.endswith(end) and len(name) > len(end) + 1), name)
    return list(dict.fromkeys([name, bare, *(bare + end for end in _ENDINGS)]))


def get_home(conn: Connection) -> Home | None:
    """None where nobody has said it yet."""
    kept = read_setting(conn, _NAME)
    return msgspec.json.decode(kept, type=Home) if kept else None


def put_home(centre: Centre, province: str, city: str, by: str) -> None:
    """Say where here is, for every compound. Raises CentreError."""
    home = Home(one_line(province), one_line(city))
    for name in (home.province, home.city):
        if not name or not name.isprintable() or len(name) > _LONGEST:
            raise CentreError(
                f"请填省和市，各不超过{_LONGEST}字。", f"Write province and city, at most {_LONGEST} characters each."
            )
    with centre.store.write() as conn:
        put_setting(conn, _NAME, msgspec.json.encode(home).decode())
        audit.note_town(conn, centre.now_ms(), by, "home", f"{home.province} {home.city}")
