"""Desks and their slots: opened, changed, closed, with what each change would do before it is done."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sync.protocol import Window
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.passes import compounds
from sync.server.passes.lane_screen import LaneScreen, put_lane_screen, read_lane_screen
from sync.server.people import identity
from sync.server.people.collecting import desks, finding
from sync.server.people.households import slots
from sync.server.people.households.households import local_day
from sync.server.people.households.slots import CollectionDesk
from sync.server.views import Route, error_text, or_again

WINDOWS = 3
_NEW = CollectionDesk(
    desk_id=0, name_zh="", name_en="", place_zh="", place_en="", capacity=4, hours=[(540, 720), (840, 1080)],
    from_day="", until_day="", weekdays=(1, 2, 3, 4, 5, 6, 7), buildings=(), paper=False,
)  # fmt: skip


class Desks:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        post = ("GET", "POST")
        return (
            Route("desks", self.desks, post, "people", "register"),
            Route("desks/<int:desk_id>", self.one_desk, post, "people", "register"),
            Route("desks/phone", self.office_phone, ("POST",), "register"),
            Route("desks/lane", self.lane_screen, ("POST",), "register"),
        )

    def desks(self, compound: Compound) -> Any:
        """All of them, who has no slot, and a new one."""
        if request.method == "POST":
            return self._put(compound, 0)
        return self._list(compound)

    def _list(
        self,
        compound: Compound,
        phone_wrong: str = "",
        phone: str = "",
        lane_wrong: str = "",
        lane: LaneScreen | None = None,
    ) -> str:
        now_ms = self._centre.now_ms()
        with self._centre.store.read() as conn:
            loads = desks.loads(conn, compound.compound_id, local_day(compound, now_ms), now_ms)
            without = desks.without_slot(conn, compound.compound_id)
        return render_template(
            "office/desks.html", loads=loads, without=without, lost=request.args.get("lost", 0, type=int),
            saved="saved" in request.args, phone_wrong=phone_wrong, phone=phone or compound.office_phone,
            lane=lane or read_lane_screen(compound), lane_wrong=lane_wrong,
            **self._form(compound, _NEW),
        )  # fmt: skip

    def one_desk(self, compound: Compound, desk_id: int) -> Any:
        """One desk, to be changed or closed."""
        with self._centre.store.read() as conn:
            found = slots.get_desk(conn, compound.compound_id, desk_id)
        if request.method == "POST":
            return self._put(compound, desk_id)
        return render_template("office/desk.html", **self._form(compound, found))

    # Changing

    def office_phone(self, compound: Compound) -> Any:
        """The telephone number that residents call."""
        phone = request.form.get("phone", "")[:60]
        try:
            compounds.set_office_phone(self._centre, compound.compound_id, phone, g.staff.account)
        except CentreError as error:
            return self._list(compound, error_text(error), phone), 409
        return redirect(url_for("office.desks", compound_id=compound.compound_id, saved=1))

    def lane_screen(self, compound: Compound) -> Any:
        """What the screens at the gates say of the desk, and whether they show the masked name."""
        days = tuple(sorted({int(day) for day in request.form.getlist("weekday") if day in "1234567" and day}))
        wanted = LaneScreen(
            desk_zh=identity.one_line(request.form.get("lane_zh", "")),
            desk_en=identity.one_line(request.form.get("lane_en", "")),
            label_shown="label_shown" in request.form,
        )
        try:
            spans = [_window(number) for number in range(WINDOWS) if any(_times(number))]
            hours = tuple(Window(begins, ends, days) for begins, ends in sorted(spans)) if days else ()
            wanted = msgspec.structs.replace(wanted, desk_hours=hours)
            put_lane_screen(self._centre, compound.compound_id, wanted, g.staff.account)
        except CentreError as error:
            return self._list(compound, lane_wrong=error_text(error), lane=wanted), 409
        return redirect(url_for("office.desks", compound_id=compound.compound_id, saved=1))

    def _form(self, compound: Compound, desk: CollectionDesk, preview: dict[str, Any] | None = None) -> dict[str, Any]:
        today = local_day(compound, self._centre.now_ms())
        if not desk.from_day and not desk.desk_id:
            desk = msgspec.structs.replace(desk, from_day=today.isoformat(), until_day=f"{today.year + 1}-12-31")
        return {"desk": desk, "windows": WINDOWS, "preview": preview, "wrong": "", "form": request.form}

    def _put(self, compound: Compound, desk_id: int) -> Any:
        """See first; what takes a slot from somebody is saved only after it was seen and ticked."""
        try:
            wanted = self._read(compound, desk_id)
            desks.check_desk(wanted)
        except CentreError as error:
            shown = self._form(compound, self._as_written(compound, desk_id)) | {"wrong": error_text(error)}
            return render_template("office/desk.html", **shown), 409
        preview = self._preview(compound, wanted)
        if request.form.get("do") == "preview" or (preview["lost"] and "sure" not in request.form):
            return render_template("office/desk.html", **self._form(compound, wanted, preview))
        return or_again(
            lambda: self._save(compound, wanted), "office/desk.html", lambda: self._form(compound, wanted, preview)
        )

    def _preview(self, compound: Compound, wanted: CollectionDesk) -> dict[str, Any]:
        now_ms = self._centre.now_ms()
        with self._centre.store.read() as conn:
            lost = desks.impossible(conn, compound, wanted, now_ms) if wanted.desk_id else []
            named = finding.by_ids(conn, compound.compound_id, lost[: desks.MOST_LISTED])
        days = desks.days_open(wanted, local_day(compound, now_ms))
        return {"lost": lost, "named": named, "places": desks.places_a_day(wanted), "days": days}

    def _save(self, compound: Compound, wanted: CollectionDesk) -> AnyResponse:
        with self._centre.writing(compound.compound_id, g.staff.account) as writing:
            _, lost = desks.put_desk(writing, self._centre.vault, wanted)
        where = url_for("office.desks", compound_id=compound.compound_id, saved=1, lost=len(lost) or None)
        return redirect(where)

    def _read(self, compound: Compound, desk_id: int) -> CollectionDesk:
        """The desk as the form has it. Raises CentreError."""
        written = self._as_written(compound, desk_id)
        hours = [_window(number) for number in range(WINDOWS) if any(_times(number))]
        return msgspec.structs.replace(
            written, hours=hours, from_day=identity.read_day(written.from_day).isoformat(),
            until_day=identity.read_day(written.until_day).isoformat(),
        )  # fmt: skip

    def _as_written(self, compound: Compound, desk_id: int) -> CollectionDesk:
        form = request.form
        until_day = form.get("until_day", "")
        if form.get("do") == "close":
            until_day = local_day(compound, self._centre.now_ms()).isoformat()
        days = {int(day) for day in form.getlist("weekday") if day in ("1", "2", "3", "4", "5", "6", "7")}
        buildings = (identity.one_line(name) for name in form.get("buildings", "").replace("，", ",").split(","))
        names = ("name_zh", "name_en", "place_zh", "place_en")
        return CollectionDesk(
            desk_id=desk_id, capacity=form.get("capacity", 0, type=int), hours=[], from_day=form.get("from_day", ""),
            until_day=until_day, weekdays=tuple(sorted(days)), buildings=tuple(name for name in buildings if name),
            paper="paper" in form, **{name: identity.one_line(form.get(name, "")) for name in names},
        )  # fmt: skip


def _times(number: int) -> tuple[str, str]:
    return request.form.get(f"begins-{number}", "").strip(), request.form.get(f"ends-{number}", "").strip()


def _window(number: int) -> tuple[int, int]:
    begins, ends = (_minute(words) for words in _times(number))
    return begins, ends


def _minute(words: str) -> int:
    hour, colon, minute = words.replace("：", ":").partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and len(words) <= 5 and int(minute) < 60):
        raise CentreError("时间请写成09:00。", "Write times like 09:00.")
    return int(hour) * 60 + int(minute)
