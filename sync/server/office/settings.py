"""What the town sets for all compounds: the address residents use, how many people in a dwelling are many, and whether
codes are sent to telephones."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import g, redirect, render_template, request, url_for

from sync.hosts import asked, host_of
from sync.server.centre.errors import CentreError
from sync.server.centre.writing import Centre
from sync.server.passes.lane_screen import PUBLIC_URL
from sync.server.people import town_setting
from sync.server.people.town_setting import DWELLING_MOST_PEOPLE, SMS_CODES, USUAL_MOST_PEOPLE
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
        url = request.form.get("public_url", "").strip()
        self._refuse_to_shut_out(url)
        town_setting.put_public_url(self._centre, url, g.staff.account)
        town_setting.put_sms_codes(self._centre, request.form.get("sms_codes", ""), g.staff.account)
        town_setting.put_most_people(self._centre, request.form.get("most_people", ""), g.staff.account)
        return redirect(url_for("office.town_settings", saved=1))

    def _refuse_to_shut_out(self, url: str) -> None:
        """A slip of the pen must not take away the very name this page was opened under. Raises CentreError."""
        place = asked(request.environ)
        safe = place is None or place.is_own or place.address or place.host in self._centre.settings.host_names
        if place is not None and not safe and host_of(urlsplit(url).netloc) != place.host:
            raise CentreError(
                f"您是用{place.host}打开本页的，改了就再也打不开。请先用新网址或中心的IP地址打开。",
                f"You opened this page under {place.host}, which would no longer work. Open it under the new address, "
                "or by the centre's IP address, and change it there.",
            )
