"""What the town sets for all compounds: the address residents use, how many people in a dwelling are many, and whether
codes are sent to telephones."""

from __future__ import annotations

from typing import Any

from flask import g, redirect, render_template, request, url_for

from sync.server.centre.writing import Centre
from sync.server.people import town_setting
from sync.server.people.town_setting import DWELLING_MOST_PEOPLE, PUBLIC_URL, SMS_CODES, USUAL_MOST_PEOPLE
from sync.server.views import Route, or_again


class TownSettings:
    """Views of one centre."""

    def __init__(self, centre: Centre):
        self._centre = centre

    def routes(self) -> tuple[Route, ...]:
        return (Route("/settings", self.town_settings, ("GET", "POST"), "accounts"),)

    def town_settings(self) -> Any:
        """All at once; what is wrong is said, and what was written stays."""
        if request.method == "POST":
            return or_again(self._save, "office/settings.html", dict)
        with self._centre.store.read() as conn:
            form = {
                "public_url": town_setting.read_setting(conn, PUBLIC_URL),
                "sms_codes": town_setting.read_count(conn, SMS_CODES, 0),
                "most_people": town_setting.read_count(conn, DWELLING_MOST_PEOPLE, USUAL_MOST_PEOPLE),
            }
        return render_template("office/settings.html", form=form)

    def _save(self) -> Any:
        town_setting.put_public_url(self._centre, request.form.get("public_url", ""), g.staff.account)
        town_setting.put_sms_codes(self._centre, request.form.get("sms_codes", ""), g.staff.account)
        town_setting.put_most_people(self._centre, request.form.get("most_people", ""), g.staff.account)
        return redirect(url_for("office.town_settings", saved=1))
