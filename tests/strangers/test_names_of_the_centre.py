"""Which names the centre answers to, and where its links and codes lead: never where a stranger says."""

from __future__ import annotations

import http.client
import json
import re
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from sync.protocol import Refusal
from sync.server.__main__ import main
from sync.server.passes import card, passes
from sync.server.people.town_setting import PUBLIC_URL, put_public_url, read_setting
from tests.fixtures.centre import World, code_of
from tests.fixtures.office import Office
from tests.fixtures.people import add_desk, application, apply
from tests.fixtures.processes.centre import Centre

PUBLIC = "https://pass.example.org"
ELSEWHERE = {"REMOTE_ADDR": "192.0.2.7"}


@pytest.fixture
def property_office(world: World) -> Office:
    return Office(world, "wang", mine=(7,))


@pytest.fixture
def town(world: World) -> Office:
    return Office(world, "zhang", everywhere=True, role="town")


def status(client: Any, host: str, path: str = "/sign-in", method: str = "GET") -> int:
    code: int = client.open(path, method=method, headers={"Host": host}).status_code
    return code


# Names


def test_no_route_answers_to_a_strangers_name(world: World) -> None:
    """DNS rebinding; whatever the page, gates' API and static files too."""
    rules = list(world.app.url_map.iter_rules())
    assert len(rules) > 100
    for rule in rules:
        path = re.sub(r"<[^>]+>", "1", str(rule))
        for method in (rule.methods or set()) & {"GET", "POST"}:
            answer = world.client.open(path, method=method, headers={"Host": "evil.example"})
            assert answer.status_code == 421 and "evil" not in answer.text, path
            assert "Set-Cookie" not in answer.headers
    assert status(world.client, "evil.example", "/nowhere") == 421


def test_the_refusal_says_what_to_do_to_people_and_to_gates(world: World) -> None:
    page = world.client.get("/j/7", headers={"Host": "evil.example"})
    assert "IP地址" in page.text and "--public-url" in page.text and "Town settings" in page.text
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    gates = world.client.get("/api/v1/feed", headers={"Host": "evil.example"})
    assert code_of(gates) == "other_host" and "--host-name" in msgspec.json.decode(gates.data, type=Refusal).text


def test_the_public_address_is_answered_from_the_moment_it_is_set(world: World) -> None:
    assert status(world.client, "pass.example.org") == 421
    put_public_url(world.centre, f"{PUBLIC}:8443", "zhang")
    assert status(world.client, "pass.example.org:8443") == status(world.client, "PASS.example.org") == 200
    put_public_url(world.centre, "", "zhang")
    assert status(world.client, "pass.example.org") == 421


def test_its_operator_may_name_others_for_gates(tmp_path: Path) -> None:
    world = World(tmp_path / "centre", host_names=("centre.lan", "10.1.2.3"))
    assert [status(world.client, host) for host in ("centre.lan:8000", "10.1.2.3", "x.centre.lan")] == [200, 200, 421]
    world.centre.close()


def test_behind_a_proxy_its_address_in_figures_is_answered_before_anything_is_set(tmp_path: Path) -> None:
    world = World(tmp_path / "centre", proxies=1)
    assert [status(world.client, host) for host in ("203.0.113.9", "evil.example")] == [200, 421]
    world.centre.close()


def test_the_page_does_not_take_away_the_name_it_was_opened_under(tmp_path: Path) -> None:
    world = World(tmp_path / "centre")
    town = Office(world, "zhang", everywhere=True, role="town")
    put_public_url(world.centre, PUBLIC, "zhang")

    def save(url: str, host: str) -> int:
        fields = {"public_url": url, "most_people": "8"}
        page = town.client.get("/settings", headers={"Host": host})
        fields["csrf_token"] = re.search(r'csrf_token" value="([^"]+)"', page.text)[1]
        return int(town.client.post("/settings", data=fields, headers={"Host": host}).status_code)

    town.client.set_cookie("centre", town.client.get_cookie("centre").value, domain="pass.example.org")
    for slip in ("https://pas.example.org", ""):
        assert save(slip, "pass.example.org") == 409
    assert save(f"{PUBLIC}/town", "pass.example.org") == 302
    assert save("https://other.example.org", "localhost") == 302
    world.centre.close()


def test_a_first_day_centre_works_at_the_addresses_it_is_reached_on(tmp_path: Path) -> None:
    centre = Centre(tmp_path / "centre")
    centre.start()
    try:
        assert [asked(centre.port, host) for host in ("127.0.0.1", "localhost", f"127.0.0.1:{centre.port}")] == [
            200
        ] * 3
        assert asked(centre.port, "evil.example") == asked(centre.port, "10.9.8.7") == 421
        assert asked(centre.port, "") == 400
    finally:
        centre.close()


def asked(port: int, host: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    connection.putrequest("GET", "/sign-in", skip_host=True)
    connection.putheader("Host", host)
    connection.endheaders()
    code = connection.getresponse().status
    connection.close()
    return code


# Addresses


def test_without_a_public_address_no_account_is_made_whose_link_nobody_could_open(world: World, town: Office) -> None:
    town.client.environ_base.update(ELSEWHERE)
    for path, fields in (("/accounts", {"account": "wang", "name": "王敏", "role": "property", "compound": "7"}),
                         ("/accounts/zhang", {"do": "link"})):  # fmt: skip
        answer = town.post(path, **fields)
        assert answer.status_code == 409 and "还没有设置居民用的网址" in answer.text
        assert 'href="/settings"' in answer.text and "/welcome/" not in answer.text
    assert "wang" not in town.get("/accounts").text
    put_public_url(world.centre, PUBLIC, "zhang")
    assert f"{PUBLIC}/welcome/" in town.post("/accounts/zhang", do="link").text


def test_without_a_public_address_nothing_is_printed_that_leads_nowhere(world: World, property_office: Office) -> None:
    office = property_office
    office.client.environ_base.update(ELSEWHERE)
    for path in ("/c/7/poster", "/c/7/poster/texts", "/c/7/poster/slips", "/c/7/poster/slips?building=3"):
        page = office.get(path)
        assert page.status_code == 200 and "还没有设置居民用的网址" in page.text
        assert "/j/7" not in page.text and "<svg" not in page.text
    assert "还没有设置居民用的网址" not in office.get("/c/7/poster/paper").text
    code = office.post("/c/7/gates", name="东门").text
    assert "--centre https://CENTRE" in code and "还没有设置居民用的网址" in code
    put_public_url(world.centre, PUBLIC, "zhang")
    assert f"{PUBLIC}/j/7" in office.get("/c/7/poster").text
    assert f"--centre {PUBLIC}" in office.post("/c/7/gates/g1/code").text


def test_a_household_whose_link_cannot_be_shown_keeps_the_one_it_has(world: World, property_office: Office) -> None:
    done = apply(world.centre)
    property_office.client.environ_base.update(ELSEWHERE)
    answer = property_office.post(f"/c/7/collect/{done.household_id}/link")
    assert answer.status_code == 409 and "还没有设置居民用的网址" in answer.text
    assert "settings" not in answer.text, "it is for the town's accounts to set"
    assert world.client.get(f"/j/7/s/{done.link}").status_code == 200


def test_where_no_address_is_known_a_households_code_says_its_number(world: World) -> None:
    desk = add_desk(world.centre)
    at_ms = passes.read_time("2027-01-16T09:15", "Asia/Shanghai", False)
    done = apply(world.centre, 7, application(desk_id=desk, slot_ms=at_ms))

    def code() -> str:
        page = world.client.get(f"/j/7/s/{done.link}", environ_base=ELSEWHERE).text
        return re.search(r'data-code="([01 ]+)"', page)[1]

    assert code() == " ".join(card.draw(done.number).rows)
    put_public_url(world.centre, PUBLIC, "zhang")
    assert code() == " ".join(card.draw(f"{PUBLIC}/j/7/s/{done.link}").rows)


def test_a_proxy_nobody_told_of_is_not_taken_for_this_machine(world: World, town: Office) -> None:
    town.client.environ_base["HTTP_X_FORWARDED_FOR"] = "198.51.100.7"
    assert town.post("/accounts/zhang", do="link").status_code == 409


def test_commands_print_links_under_the_public_address_or_say_that_there_is_none(tmp_path: Path) -> None:
    plain = said(tmp_path, "add-staff", "zhou", "--everywhere")
    assert "\n/welcome/" in plain and "has not set its public address" in plain and "--public-url" in plain
    serve_in_vain(tmp_path, "--public-url", PUBLIC)
    assert f"{PUBLIC}/welcome/" in said(tmp_path, "staff-link", "zhou")
    assert json.loads(said(tmp_path, "staff-link", "zhou", "--json"))["address"].startswith(f"{PUBLIC}/welcome/")


def said(folder: Path, *args: str) -> str:
    done = CliRunner().invoke(main, ["--state", str(folder / "centre"), *args])
    assert done.exit_code == 0, done.output
    return done.output


def serve_in_vain(folder: Path, *options: str) -> str:
    """What a server says that is started on a port in use, after it has read its options."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        run = ["--state", str(folder / "centre"), "run", "--port", str(taken.getsockname()[1])]
        return CliRunner().invoke(main, [*run, *options]).output


@pytest.mark.parametrize("wrong", [["--public-url", "pass.example.org"], ["--host-name", "https://x.example"]])
def test_a_server_told_an_invalid_address_says_so_and_does_not_start(tmp_path: Path, wrong: list[str]) -> None:
    done = CliRunner().invoke(main, ["--state", str(tmp_path / "centre"), "run", "--port", "0", *wrong])
    assert done.exit_code == 1 and wrong[0] in done.output


def test_what_the_town_has_set_is_not_set_anew_by_the_server(tmp_path: Path) -> None:
    for url in (PUBLIC, "https://older.example.org"):
        told = serve_in_vain(tmp_path, "--public-url", url)
    assert f"The town has set {PUBLIC}" in told
    world = World(tmp_path / "centre")
    with world.centre.store.read() as conn:
        assert read_setting(conn, PUBLIC_URL) == PUBLIC
    world.centre.close()
