"""How fast the centre's pages are with a whole town in it, against their aims, as one table. Run by hand:

    python tests/bench/centre_pages.py [--state DIR] [--only pages|export|launch]

Makes the town of ``demo-data`` in DIR (or takes the one that is there), starts the true server on it as a process on
the loopback, and signs in over HTTP. Every office page of every room is asked in the compound of 7,000 dwellings. On
launch day residents come at their own times, whether or not the ones before them were answered, so that a queue shows
in their waiting times. Everything that is measured is measured from outside; ends with 1 where an aim is missed.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from flask import Flask
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from sync.server.app import centre_of, close_app, create_app
from sync.server.centre import tables
from sync.server.centre.settings import Settings
from sync.server.centre.writing import Centre
from sync.server.office.frame import Office
from sync.server.passes import passes
from sync.server.people.dwellings import dwellings
from sync.server.people.households import drafts, households, phone_pass
from sync.server.people.households.drafts import Draft
from sync.server.people.made_up.families import MadeUp
from sync.server.staff import roles

ROOT = Path(__file__).resolve().parents[2]
PAGE_MS, REVERSE_MS, EXPORT_S, SUBMIT_MS = 150.0, 300.0, 5.0, 500.0
A_SECOND, SECONDS = 20, 60
EXPORT_ROWS = 10_000
_WARM, _TIMES = 3, 25
_REVERSE = "office.dwellings_missing"
_QUERIES = {
    "office.residents": ("q=王", "q=鄂A", "sort=age&down=1", "stage=applied&page=3", "page=40"),
    "office.vehicles": ("q=鄂A1", "page=20"), "office.applications": ("stage=applied", "q=3-"),
    "office.passes": ("q=3-", "page=50"), "office.dwellings": ("building=3",), "office.events": ("page=30",),
    "office.record": ("page=50",), "office.review": ("page=2",), "office.dwellings_idle": ("page=2",),
}  # fmt: skip
"""More ways to ask some pages: what people do with them all day."""


class Line(NamedTuple):
    """A line of the table. ``aim`` None: nothing was promised."""

    what: str
    aim: float | None
    got: float
    unit: str
    more: str = ""

    @property
    def ok(self) -> bool:
        return self.aim is None or self.got < self.aim


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", type=Path, help="a town made before, or where to make one")
    parser.add_argument("--only", choices=("pages", "export", "launch"))
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long launch day is")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        state = asked.state or Path(folder)
        lines = list(measure(state, asked.only, asked.seconds))
    show(lines)
    return 0 if all(line.ok for line in lines) else 1


def measure(state: Path, only: str | None, seconds: int) -> Iterator[Line]:
    yield from town(state)
    app = create_app(Settings(state=state, watch=False, secure_cookies=False))  # for its addresses and its database
    try:
        bench = Bench(state, app)
        with served(state) as server:
            if only in (None, "pages"):
                yield from pages(bench, server)
            if only in (None, "export"):
                yield from export(bench, server)
            if only in (None, "launch"):
                yield from launch(bench, server, seconds)
    finally:
        close_app(app)


def show(lines: list[Line]) -> None:
    table = Table("What", "Aim", "Got", "", "More")
    for line in lines:
        aim = "" if line.aim is None else f"< {line.aim:g} {line.unit}"
        word = "" if line.aim is None else "ok" if line.ok else "MISS"
        style = "" if line.ok else "bold red"
        table.add_row(line.what, aim, f"{line.got:.1f} {line.unit}", word, line.more, style=style)
    console = Console(width=150)
    console.print(table)
    console.print("Load of this machine in the last minutes:", *(f"{load:.1f}" for load in os.getloadavg()))


# The town, and the server


def command(state: Path, *words: str, given: str = "") -> str:
    asked = [sys.executable, "-m", "sync.server", "--state", str(state), *words]
    return subprocess.run(asked, cwd=ROOT, check=True, input=given, text=True, stdout=subprocess.PIPE).stdout


def town(state: Path) -> Iterator[Line]:
    if not (state / "centre.db").exists():
        began = time.perf_counter()
        command(state, "demo-data", "--json")
        yield Line("demo-data, 42 compounds, 140,000 people", 180, time.perf_counter() - began, "s")


class Server(NamedTuple):
    port: int
    worker: int

    def reset_peak(self) -> None:
        Path(f"/proc/{self.worker}/clear_refs").write_text("5")

    def cpu_ms(self) -> float:
        """Computing time so far; where others use the machine, too, it is what can be compared."""
        told = Path(f"/proc/{self.worker}/stat").read_text().rpartition(")")[2].split()
        return (int(told[11]) + int(told[12])) * 1000 / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, name: str) -> float:
        """``VmRSS``, or ``VmHWM``: its peak since it was reset."""
        status = Path(f"/proc/{self.worker}/status").read_text()
        return int(re.search(rf"{name}:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]  # Linux says it


@contextmanager
def served(state: Path) -> Iterator[Server]:
    asked = [sys.executable, "-m", "sync.server", "--state", str(state), "run", "--port", "0", "--json"]
    server = subprocess.Popen(asked, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = json.loads(server.stdout.readline())["port"]
        Browser(port).get("/sign-in")
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        yield Server(port, int(children[0]))
    finally:
        server.terminate()
        server.wait(timeout=30)


class Answer(NamedTuple):
    status: int
    body: bytes
    location: str

    @property
    def token(self) -> str:
        found = re.search(rb'csrf_token" value="([^"]+)"', self.body)
        assert found, f"no form in an answer of {self.status}"
        return found[1].decode()


class Browser:
    """One connection that keeps its cookies. Not thread-safe."""

    def __init__(self, port: int, **cookies: str):
        self._conn = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self._cookies = cookies

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None, {})

    def post(self, path: str, **fields: str) -> Answer:
        return self._ask("POST", path, urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> Answer:
        kept = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        self._conn.request(method, path, body, headers | ({"Cookie": kept} if kept else {}))
        answer = self._conn.getresponse()
        for words in answer.headers.get_all("Set-Cookie", []):
            name, _, value = words.partition(";")[0].partition("=")
            self._cookies[name] = value
        return Answer(answer.status, answer.read(), answer.headers.get("Location", ""))

    def close(self) -> None:
        self._conn.close()


class Bench:
    """A town's database, looked into from beside the server, and two people who may sign in."""

    def __init__(self, state: Path, app: Flask):
        self.app = app
        self.centre: Centre = centre_of(app)
        self.compound = self._largest()
        self.password = secrets.token_urlsafe(16)
        self.accounts: dict[str, str] = {}
        for role in ("property", "town"):
            account = f"bench{role}{secrets.token_hex(3)}"
            where = ("--everywhere",) if role == "town" else ("--compound", str(self.compound))
            command(state, "add-staff", account, "--role", role, *where, "--password-stdin", given=self.password + "\n")
            self.accounts[role] = account

    def _largest(self) -> int:
        of = tables.dwelling.c.compound_id
        return int(self.one(select(of).group_by(of).order_by(func.count().desc()).limit(1)))

    def one(self, wanted: Any) -> Any:
        with self.centre.store.read() as conn:
            return conn.execute(wanted).scalar()

    def sign_in(self, server: Server, role: str) -> Browser:
        browser = Browser(server.port)
        token = browser.get("/sign-in").token
        answer = browser.post("/sign-in", account=self.accounts[role], password=self.password, csrf_token=token)
        assert answer.status == 302, answer.status
        return browser

    def things(self) -> dict[str, Any]:
        """One of everything in the compound, by the names that variables of addresses have."""
        here, applied = self.compound, tables.household.c.state == "applied"
        household = self.one(select(tables.household.c.household_id).where(
            tables.household.c.compound_id == here, applied, tables.household.c.sealed_warnings != b""
        ).limit(1))  # fmt: skip
        found = {
            "compound_id": here, "household_id": household, "person_id": self._of(tables.person, household),
            "household": households.household_number(here, household), "who": self.accounts["property"],
            "number": self._of(tables.pass_), "gate_id": self._of(tables.gate), "account": self._of(tables.guard),
            "dwelling_id": self._of(tables.dwelling), "desk_id": self._of(tables.desk), "area_id": 1,
            "visitor_id": self._of(tables.visitor), "vehicle_id": self._of(tables.vehicle),
            "erasure_id": self._of(tables.erasure), "name": "residents",
        }  # fmt: skip
        with self.centre.writing(here, "bench") as writing:
            number = passes.reissue_in(writing, self.centre, found["number"], ("phone",)).number
            found["code"] = phone_pass.open_activation(writing, self.centre, number)
        return {name: value for name, value in found.items() if value is not None}

    def _of(self, table: Any, household: int = 0) -> Any:
        column = {"pass": "number", "gate": "gate_id", "guard": "account", "erasure": "erasure_id"}.get(
            table.name, f"{table.name}_id"
        )
        mine = [table.c.compound_id == self.compound]
        mine += [table.c.household_id == household] if household else []
        mine += [table.c.state == "active"] if table.name == "pass" else []
        return self.one(select(table.c[column]).where(*mine).order_by(table.c[column]).limit(1))


# Pages


def pages(bench: Bench, server: Server) -> Iterator[Line]:
    browsers = {role: bench.sign_in(server, role) for role in bench.accounts}
    things = bench.things()
    yield count(bench, browsers["town"])
    rights = {f"office.{route.view.__name__}": route.right for route in Office(bench.centre).rooms()}
    for rule in sorted(bench.app.url_map.iter_rules(), key=lambda rule: rule.endpoint):
        if "GET" not in (rule.methods or ()) or not rule.endpoint.startswith("office."):
            continue
        if missing := rule.arguments - things.keys():
            yield Line(rule.endpoint, None, 0, "ms", f"not asked: nothing there for {', '.join(sorted(missing))}")
            continue
        right = rights.get(rule.endpoint)
        mine = "compound_id" in rule.arguments and (right is None or roles.may("property", right))
        role = "property" if mine else "town"
        with bench.app.test_request_context():
            path = bench.app.url_for(rule.endpoint, **{name: things[name] for name in rule.arguments})
        for query in ("", *_QUERIES.get(rule.endpoint, ())):
            what, asked = (f"{words}?{query}" if query else words for words in (rule.endpoint, path))
            yield page(server, browsers[role], what, quote(asked, safe="/?=&"))


def count(bench: Bench, browser: Browser) -> Line:
    """What the town's first page shows, counted anew: an officer's button, and a timer's work."""
    token = browser.get("/me").token
    with bench.app.test_request_context():
        path = bench.app.url_for("office.town_count")
    took, answer = timed(lambda: browser.post(path, csrf_token=token))
    return Line("office.town_count", None, took, "ms", f"all compounds; it answers {answer.status}")


def page(server: Server, browser: Browser, what: str, path: str) -> Line:
    first = browser.get(path)
    if first.status not in (200, 302):
        return Line(what, None, 0, "ms", f"not measured: it answers {first.status}")
    for _ in range(_WARM):
        browser.get(path)
    began = server.cpu_ms()
    taken = [timed(lambda: browser.get(path))[0] for _ in range(_TIMES)]
    cpu = (server.cpu_ms() - began) / _TIMES
    aim = REVERSE_MS if what.startswith(_REVERSE) else PAGE_MS
    more = f"p50 {at(taken, 50):.1f}, of it computing {cpu:.0f} ms; {len(first.body) / 1000:.0f} kB"
    return Line(what, aim, at(taken, 95), "ms", more)


def timed(work: Callable[[], Answer]) -> tuple[float, Answer]:
    """(milliseconds, answer)."""
    began = time.perf_counter()
    answer = work()
    return (time.perf_counter() - began) * 1000, answer


def at(taken: list[float], percent: int) -> float:
    return sorted(taken)[min(len(taken) - 1, len(taken) * percent // 100)]


# The export


def export_fields(browser: Browser, path: str) -> dict[str, str]:
    return {"why": "visit", "words": "测量导出速度", "csrf_token": browser.get(path).token}


def export(bench: Bench, server: Server) -> Iterator[Line]:
    browser = bench.sign_in(server, "property")
    path = f"/c/{bench.compound}/residents/export?there=any"
    fields = export_fields(browser, path)
    wanted = select(func.count()).select_from(tables.person).where(tables.person.c.compound_id == bench.compound)
    rows = bench.one(wanted)
    peaks = []
    for _ in range(2):
        server.reset_peak()
        before = server.memory_mb("VmRSS")
        took, answer = timed(lambda: browser.post(path, **fields))
        assert answer.status == 200, answer.status
        peaks.append(server.memory_mb("VmHWM") - before)
    more = f"{rows:,} rows in {took / 1000:.2f} s, {len(answer.body) / 1e6:.1f} MB"
    yield Line("export of 10,000 residents", EXPORT_S, took / 1000 * EXPORT_ROWS / rows, "s", more)
    whole = f"the whole server {server.memory_mb('VmHWM'):.0f} MB"
    yield Line("  memory it takes at its peak", 32, peaks[-1], "MB", whole)


# Launch day


def launch(bench: Bench, server: Server, seconds: int) -> Iterator[Line]:
    """The last step of the form, 20 a second, while one export after another runs."""
    waiting = prepare(bench, A_SECOND * seconds)
    stop = threading.Event()
    exports: list[float] = []
    office = threading.Thread(target=keep_exporting, args=(bench, server, stop, exports))
    office.start()
    done: list[Done] = []
    computed, began = server.cpu_ms(), time.perf_counter() + 1
    with ThreadPoolExecutor(400) as residents:
        for place, who in enumerate(waiting):
            due = began + place / A_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            residents.submit(lambda due, who: done.append(resident(server, due, *who)), due, who)
    stop.set()
    cpu = (server.cpu_ms() - computed) / seconds / 10
    office.join()
    taken, whole = [one.sent_ms for one in done], [one.whole_ms for one in done]
    more = f"p50 {at(taken, 50):.0f}, max {max(taken):.0f} ms; {len(exports)} exports, {max(exports, default=0):.1f} s"
    yield Line(f"launch day: {A_SECOND} submissions a second, {seconds} s", SUBMIT_MS, at(taken, 95), "ms", more)
    yield Line("  with the page before it", None, at(whole, 95), "ms", f"p50 {at(whole, 50):.0f} ms")
    yield Line("  the server computes", None, cpu, "%", "of one processor, export and pages and all")
    yield Line("  had to choose another time", None, sum(one.again for one in done), "")
    yield Line("  not taken", 1, len(waiting) - sum(one.status == 302 for one in done), "", f"of {len(waiting)}")


def keep_exporting(bench: Bench, server: Server, stop: threading.Event, taken: list[float]) -> None:
    browser = bench.sign_in(server, "property")
    path = f"/c/{bench.compound}/residents/export?there=any"
    fields = export_fields(browser, path)
    while not stop.is_set():
        took, answer = timed(lambda: browser.post(path, **fields))
        assert answer.status == 200, answer.status
        taken.append(took / 1000)


def prepare(bench: Bench, number: int) -> list[tuple[int, str, str]]:
    """(compound, token of a draft, name) of residents who have filled in all but the letter, in the order they come."""
    rng = Random(secrets.token_hex(4))
    today = date.fromtimestamp(bench.centre.now_ms() / 1000)  # noqa: DTZ012 (a day more or less changes nothing)
    maker = MadeUp(rng, today, set())
    homes = tables.dwelling.c
    with bench.centre.store.read() as conn:
        rows = conn.execute(select(homes.compound_id, homes.dwelling_id).order_by(homes.compound_id)).all()
    chosen: dict[int, list[int]] = {}
    for compound, dwelling_id in rng.sample(rows, number):
        chosen.setdefault(compound, []).append(dwelling_id)
    waiting = []
    for compound, ids in chosen.items():
        with bench.centre.writing(compound, "resident") as writing:
            for dwelling_id in ids:
                home = dwellings.get_dwelling(writing.conn, compound, dwelling_id)
                form = maker.application(rng.choice((1, 2, 3, 4)), (dwelling_id, home.building, home.name), today)
                form.paper, form.signature = False, ""
                token = drafts.begin(writing, bench.centre.vault, Draft(application=form))
                waiting.append((compound, token, form.people[0].name))
    rng.shuffle(waiting)
    return waiting


class Done(NamedTuple):
    """What a resident met with: how long sending took, and all of it since it was due."""

    sent_ms: float
    whole_ms: float
    again: int
    status: int


def resident(server: Server, due: float, compound: int, token: str, name: str) -> Done:
    """Open the letter, sign it, send it; where the time was taken meanwhile, take the one that is offered instead."""
    browser = Browser(server.port, **{f"draft_{compound}": token})
    path = f"/j/{compound}/form/letter"
    answer = browser.get(path)
    again = -1
    sent_ms = 0.0
    while answer.status in (200, 409) and again < 5:
        slot = re.search(rb'name="slot" value="([^"]+)" checked', answer.body)
        fields = {"csrf_token": answer.token, "letter_name": name, "signature": _SIGNED, "do": "next"}
        fields |= {"slot": slot[1].decode()} if slot else {}
        took, answer = timed(lambda fields=fields: browser.post(path, **fields))  # type: ignore[misc]
        sent_ms, again = max(sent_ms, took), again + 1
    browser.close()
    return Done(sent_ms, (time.perf_counter() - due) * 1000, again, answer.status)


_SIGNED = "M60 200 " + " ".join(f"L{60 + 12 * step} {150 + 37 * step % 120}" for step in range(60))


if __name__ == "__main__":
    sys.exit(main())
