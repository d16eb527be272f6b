"""What is kept until when: the periods, the end of the measure, the deed that deletes what is due, and certificates."""

from __future__ import annotations

from typing import Any

from flask import abort, g, make_response, redirect, render_template, request, url_for

from sync.server import words
from sync.server.centre.errors import CentreError
from sync.server.centre.places import Compound
from sync.server.centre.writing import Centre
from sync.server.people.keeping import erasure, retention
from sync.server.people.keeping.erasure import Certificate
from sync.server.people.keeping.retention import LONGEST_DAYS, SHORTEST_DAYS, DueErasure, Periods
from sync.server.staff import sign_in
from sync.server.views import Route, local, or_again


class Retention:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("/retention", self.retention, ("GET", "POST"), "retention", "erase"),
            Route("erasures/<erasure_id>", self.certificate, ("GET",), "retention"),
            Route("erasures/<erasure_id>/text", self.certificate_text, ("GET",), "retention"),
        )

    def retention(self) -> Any:
        """Every kind with its clock, over the compounds of the account."""
        if request.method == "POST":
            return or_again(self._act, "office/retention.html", self._page)
        return render_template("office/retention.html", form={}, **self._page())

    def _act(self) -> Any:
        what = request.form.get("do", "")
        if what == "save":
            return self._save()
        return self._erase() if what == "erase" else abort(400)

    def _page(self) -> dict[str, Any]:
        mine = self._mine()
        with self._centre.store.read() as conn:
            periods = retention.read_periods(conn)
            return {
                "periods": periods, "found": retention.look(conn, mine, periods, self._centre.now_ms()),
                "names": {one.compound_id: one for one in mine}, "most": LONGEST_DAYS, "least": SHORTEST_DAYS,
                "certificates": erasure.list_certificates(conn, [one.compound_id for one in mine]),
            }  # fmt: skip

    def _mine(self) -> list[Compound]:
        return sign_in.places_of(self._centre, g.staff)

    def _save(self) -> Any:
        """Other periods. Where that makes something due at once, only after its number was shown and ticked."""
        with self._centre.store.read() as conn:
            before = retention.read_periods(conn)
            periods = retention.check_periods(_asked(before))
            more = self._due_more(conn, before, periods)
        if more and "sure" not in request.form:
            return render_template("office/retention.html", form=request.form, more=more, **self._page()), 409
        retention.set_periods(self._centre, periods, g.staff.account)
        return redirect(url_for("office.retention", saved=1))

    def _due_more(self, conn: Any, before: Periods, periods: Periods) -> list[DueErasure]:
        """What would be due now and is not."""
        mine, now_ms = self._mine(), self._centre.now_ms()
        old = {one.kind: one.due for one in retention.look(conn, mine, before, now_ms)}
        found = retention.look(conn, mine, periods, now_ms)
        return [one for one in found if one.due > old[one.kind]]

    def _erase(self) -> Any:
        if "sure" not in request.form:
            raise CentreError("请先勾选确认。", "Tick that you mean it.")
        mine = [one.compound_id for one in self._mine()]
        made = erasure.erase_all(self._centre, g.staff.account, mine) if mine else []
        return redirect(url_for("office.retention", erased=sum(sum(one.counts.values()) for one in made)))

    # What was deleted

    def certificate(self, compound: Compound, erasure_id: str) -> Any:
        """To print, and to check."""
        found = self._certificate(compound, erasure_id)
        content, zeroed = erasure.content_of(found), self._centre.store.dialect == "sqlite"
        return render_template("office/certificate.html", found=found, content=content, zeroed=zeroed)

    def certificate_text(self, compound: Compound, erasure_id: str) -> Any:
        """The page as a file."""
        found = self._certificate(compound, erasure_id)
        told = make_response(_text(compound, found))
        told.headers.update({
            "Content-Type": "text/plain; charset=utf-8",
            "Content-Disposition": f'attachment; filename="erasure-{compound.compound_id}-{found.erasure_id}.txt"',
        })  # fmt: skip
        return told

    def _certificate(self, compound: Compound, erasure_id: str) -> Certificate:
        with self._centre.store.read() as conn:
            return erasure.get_certificate(conn, compound.compound_id, erasure_id)


def _asked(before: Periods) -> Periods:
    """The periods of the form. Raises CentreError."""
    days = {}
    for kind, old in before.days.items():
        text = request.form.get(f"days-{kind}", str(old)).strip()
        if not (text.isascii() and text.isdigit() and len(text) < 6):
            raise CentreError("期限请填天数。", "A period is a number of days.")
        days[kind] = int(text)
    return Periods(measure_end=request.form.get("measure_end", before.measure_end).strip(), days=days)


def _text(compound: Compound, found: Certificate) -> str:
    """In both languages, one below the other, and the line the digest is of."""
    lines = []
    for tongue in ("zh", "en"):
        name = compound.name_en if tongue == "en" and compound.name_en else compound.name_zh
        lines += [
            words.say(tongue, "keep.certificate"), f"{words.say(tongue, 'compounds')}: {found.compound_id} {name}",
            f"{words.say(tongue, 'keep.certificate_id')}: {found.erasure_id}",
            f"{words.say(tongue, 'time')}: {local(found.at_ms, seconds=True)} ({compound.timezone})",
            f"{words.say(tongue, 'who')}: {found.by}",
            *(f"  {words.coded(tongue, 'keep.count', kind)}: {count}" for kind, count in found.counts.items()), "",
        ]  # fmt: skip
    return "\n".join([*lines, "SHA-256", found.digest, erasure.content_of(found), ""])
