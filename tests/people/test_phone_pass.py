"""The phone pass: one code, once, one browser; and what that browser draws is what the gate reads."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.credential import digits_at
from sync.protocol import Terms, Window
from sync.server import words
from sync.server.centre.errors import CentreError, NoSuchThing
from sync.server.gates import fleet
from sync.server.passes import moving_code, passes
from sync.server.people.households import phone_pass
from tests.fixtures.centre import World
from tests.fixtures.office import token_of


def offer(world: World, number: str, compound: int = 7) -> str:
    """A code, as the desk opens it."""
    with world.centre.writing(compound, "wang") as writing:
        return phone_pass.open_activation(writing, world.centre, number)


def shown(world: World, secret: str, compound: int = 7) -> str:
    """The pass a browser shows; empty for none."""
    with world.centre.store.read() as conn:
        try:
            return phone_pass.pass_of_browser(conn, world.centre.vault, compound, secret)
        except NoSuchThing:
            return ""


def live(world: World, number: str) -> list[int]:
    """Serials in force: the card's, and the phone's."""
    found = passes.get_pass(world.centre, number).credentials
    serials = {one.medium: one.serial for one in found if one.state == "active"}
    return [serials["card"], serials["phone"]]


# Activation


def test_a_code_from_the_desk_binds_a_pass_to_one_browser(world: World) -> None:
    number = world.issue(label="王*").number
    code = offer(world, number)
    assert phone_pass.read_activation(world.centre, 7, code).label == "王*"
    done = phone_pass.activate(world.centre, 7, code)
    assert (done.number, shown(world, done.browser_secret)) == (number, number)
    assert [(c.medium, c.state) for c in passes.get_pass(world.centre, number).credentials] == [
        ("phone", "active"), ("card", "active"),
    ]  # fmt: skip


def test_a_code_works_once(world: World) -> None:
    code = offer(world, world.issue().number)
    phone_pass.activate(world.centre, 7, code)
    for use in (phone_pass.activate, phone_pass.read_activation):
        with pytest.raises(NoSuchThing):
            use(world.centre, 7, code)


@pytest.mark.parametrize(("late_ms", "works"), [(-1, True), (0, False), (1, False)])
def test_a_code_is_good_for_fifteen_minutes(world: World, late_ms: int, works: bool) -> None:
    code = offer(world, world.issue().number)
    world.now_ms += phone_pass.CODE_LASTS_MS + late_ms
    if works:
        assert phone_pass.activate(world.centre, 7, code).number
        return
    with pytest.raises(NoSuchThing):
        phone_pass.activate(world.centre, 7, code)


def test_a_new_code_ends_the_one_before_but_not_another_passes(world: World) -> None:
    one, two = world.issue().number, world.issue().number
    first, other, second = offer(world, one), offer(world, two), offer(world, one)
    with pytest.raises(NoSuchThing):
        phone_pass.activate(world.centre, 7, first)
    assert [phone_pass.activate(world.centre, 7, code).number for code in (second, other)] == [one, two]


def test_activating_again_moves_the_pass_to_the_other_browser_with_a_credential_of_its_own(world: World) -> None:
    number = world.issue().number
    first = phone_pass.activate(world.centre, 7, offer(world, number))
    card, phone = live(world, number)
    second = phone_pass.activate(world.centre, 7, offer(world, number))
    assert (shown(world, first.browser_secret), shown(world, second.browser_secret)) == ("", number)
    assert live(world, number)[0] == card and live(world, number)[1] != phone


def test_a_pass_that_was_not_handed_over_has_no_phone_pass(world: World) -> None:
    number = world.issue(active=False).number
    with pytest.raises(CentreError, match="not handed over"):
        offer(world, number)
    passes.hand_over(world.centre, number, "wang")
    offer(world, number)


def test_a_pass_that_ended_since_is_not_activated(world: World) -> None:
    number = world.issue().number
    code = offer(world, number)
    passes.revoke(world.centre, number, "wang")
    with pytest.raises(CentreError):
        phone_pass.activate(world.centre, 7, code)
    with pytest.raises(CentreError):
        offer(world, number)


def test_codes_secrets_and_passes_belong_to_one_compound(world: World) -> None:
    code = offer(world, world.issue().number)
    with pytest.raises(NoSuchThing):
        phone_pass.activate(world.centre, 8, code)
    with pytest.raises(NoSuchThing):
        offer(world, "7-000001", compound=8)
    secret = phone_pass.activate(world.centre, 7, code).browser_secret
    assert (shown(world, secret, 8), shown(world, ""), shown(world, secret + "x"), shown(world, "x" * 9000)) == (
        "",
    ) * 4


def test_an_ended_browser_shows_nothing_and_an_open_code_ends_with_it(world: World) -> None:
    number = world.issue().number
    done = phone_pass.activate(world.centre, 7, offer(world, number))
    code = offer(world, number)
    for _ in range(2):
        with world.centre.writing(7, "wang") as writing:
            phone_pass.end_browser(writing, number)
    assert shown(world, done.browser_secret) == ""
    with pytest.raises(NoSuchThing):
        phone_pass.activate(world.centre, 7, code)


def test_neither_code_nor_secret_lies_in_the_database(world: World) -> None:
    code = offer(world, world.issue().number)
    secret = phone_pass.activate(world.centre, 7, code).browser_secret
    world.centre.close()
    everything = b"".join(path.read_bytes() for path in world.state.glob("centre.db*"))
    assert code.encode() not in everything and secret.encode() not in everything


# The code a browser draws by itself

TEXTS = st.text(alphabet=moving_code.ALPHABET, min_size=120, max_size=120).map(lambda rest: f"G1{rest}")
DIGITS = st.text(alphabet="0123456789", min_size=8, max_size=8)


def turned(text: str, tail: str) -> int:
    """What the script in the browser does."""
    modules = moving_code.base(text)
    for bit, move in zip(moving_code.bits_of(tail), moving_code.moves(), strict=True):
        modules ^= move if bit == "1" else 0
    return modules


@given(TEXTS, DIGITS)
@settings(max_examples=60, deadline=None)
def test_turning_modules_over_gives_the_very_code_that_is_drawn_for_the_digits(text: str, digits: str) -> None:
    mask = moving_code.draw(text + "0" * 9).mask
    assert turned(text, f".{digits}") == moving_code.matrix_of(moving_code.draw(f"{text}.{digits}", mask))


def test_a_credential_of_ours_with_its_digits_is_one_of_these(world: World) -> None:
    number = world.issue(phone=True).number
    code = passes.read_phone_code(world.centre, number)
    tail = f".{digits_at(code.secret, world.now_ms // 30_000)}"
    mask = moving_code.draw(code.text + "0" * 9).mask
    assert turned(code.text, tail) == moving_code.matrix_of(moving_code.draw(code.text + tail, mask))


def test_matrices_are_packed_row_by_row() -> None:
    found = moving_code.packed(moving_code.moves()[0])
    assert len(found) == 301 and int.from_bytes(found, "big") >> 7 == moving_code.moves()[0]
    assert int.from_bytes(moving_code.packed(moving_code.base("G1" + "0" * 120))[:1], "big") == 0b11111110


# The page


def opened(world: World, number: str, client: Any = None) -> Any:
    """A browser in which a pass was activated at the desk."""
    client = client or world.app.test_client()
    path = phone_pass.activation_path(7, offer(world, number))
    token = token_of(client, path)
    answer = client.post(path, data={"csrf_token": token})
    assert (answer.status_code, answer.location) == (302, "/j/7/p?new=1"), answer.text
    return client


def test_looking_at_a_code_does_not_use_it_up_and_the_button_does(world: World) -> None:
    number = world.issue(label="王*").number
    path = phone_pass.activation_path(7, offer(world, number))
    client = world.app.test_client()
    assert [client.get(path).status_code for _ in range(2)] == [200, 200]
    assert client.post(path, data={"csrf_token": token_of(client, path)}).status_code == 302
    assert client.get(path).status_code == 404
    page = client.get("/j/7/p")
    assert page.status_code == 200 and "王*" in page.text and page.headers["Referrer-Policy"] == "same-origin"


def test_only_the_activated_browser_sees_the_pass(world: World) -> None:
    made = world.issue(label="王*")
    client = opened(world, made.number)
    assert made.short_code in client.get("/j/7/p").text
    stranger = world.app.test_client()
    for path in ("/j/7/p", "/j/7/p/bundle", f"/j/7/p/{made.number}/code.svg", "/j/7/p/end", "/j/8/p"):
        answer = stranger.get(path)
        assert answer.status_code == 404 and made.short_code not in answer.text
    assert client.get("/j/8/p").status_code == 404
    opened(world, made.number)
    assert client.get("/j/7/p").status_code == 404, "another phone has it now"


def test_the_cookie_is_for_the_server_alone_and_lasts_400_days(world: World) -> None:
    number = world.issue().number
    client = world.app.test_client()
    path = phone_pass.activation_path(7, offer(world, number))
    answer = client.post(path, data={"csrf_token": token_of(client, path)})
    cookie = next(line for line in answer.headers.getlist("Set-Cookie") if line.startswith("pass_7="))
    assert {"HttpOnly", "SameSite=Lax", "Path=/j/7", "Max-Age=34560000"} <= set(cookie.split("; "))


def test_several_passes_in_one_browser(world: World) -> None:
    one, two, other = (world.issue(label=f"{name}*").number for name in "王李赵")
    client = opened(world, two, opened(world, one))
    opened(world, other)
    assert [p["number"] for p in client.get("/j/7/p/bundle").json["passes"]] == [two, one]
    opened(world, one)
    assert [p["label"] for p in client.get("/j/7/p/bundle").json["passes"]] == ["李*"]


def test_the_phone_says_at_which_hours_its_pass_is_good_with_and_without_network(world: World) -> None:
    number = world.issue().number
    client = opened(world, number)
    assert client.get("/j/7/p/bundle").json["passes"][0]["terms"] == ["", ""]
    assert 'class="terms">' not in client.get("/j/7/p").text
    passes.set_terms(world.centre, number, Terms((Window(480, 720, (1, 4)),), 3), "test")
    assert client.get("/j/7/p/bundle").json["passes"][0]["terms"] == [
        "周一、四 08:00–12:00，总共能进3次", "Mo Th 08:00–12:00, good for 3 entries",
    ]  # fmt: skip
    assert "周一、四 08:00–12:00，总共能进3次" in client.get("/j/7/p").text


def test_the_code_on_the_page_is_what_the_bundle_makes_at_the_centres_time(world: World) -> None:
    number = world.issue().number
    client = opened(world, number)
    bundle = client.get("/j/7/p/bundle?moves=1").json
    one = bundle["passes"][0]
    code = passes.read_phone_code(world.centre, number)
    assert base64.b64decode(one["secret"]) == code.secret and bundle["now_ms"] == world.now_ms
    tail = f".{digits_at(code.secret, world.now_ms // 30_000)}"
    modules = unpacked(one["base"])
    for bit, move in zip(moving_code.bits_of(tail), bundle["moves"], strict=True):
        modules ^= unpacked(move) if bit == "1" else 0
    mask = moving_code.draw(code.text + "0" * 9).mask
    assert modules == moving_code.matrix_of(moving_code.draw(code.text + tail, mask))
    answer = client.get(f"/j/7/p/{number}/code.svg")
    assert answer.text == moving_code.picture(code.text + tail) and answer.text in client.get("/j/7/p").text
    assert int(answer.headers["Next-In"]) == 30_000 - world.now_ms % 30_000
    assert "moves" not in client.get("/j/7/p/bundle").json


def unpacked(text: str) -> int:
    return int.from_bytes(base64.b64decode(text), "big") >> 7


def test_what_became_of_the_pass_is_told_in_its_place(world: World) -> None:
    number = world.issue().number
    client = opened(world, number)

    def told() -> str:
        shown = client.get("/j/7/p/bundle").json["passes"][0]
        assert ("secret" in shown) == ("base" in shown) == (not shown["told"][0])
        page = client.get("/j/7/p").text
        assert ("<svg" in page) == ("base" in shown) and shown["told"][0] in page
        return str(shown["told"][0])

    assert told() == ""
    passes.suspend(world.centre, number, "wang")
    assert told() == words.say("zh", "phone_suspended")
    passes.resume(world.centre, number, "wang")
    world.now_ms += 31 * 24 * 3_600_000
    assert told() == words.say("zh", "phone_expired")
    passes.extend(world.centre, number, world.now_ms + 1, "wang")
    assert told() == ""
    passes.revoke(world.centre, number, "wang")
    assert told() == words.say("zh", "phone_gone")


def test_a_withdrawn_gate_changes_the_digits_and_the_bundle_has_them(world: World) -> None:
    number = world.issue().number
    client = opened(world, number)
    before = client.get("/j/7/p/bundle").json["passes"][0]
    world.gate().enrol()
    fleet.withdraw(world.centre, 7, "g1", "wang")
    after = client.get("/j/7/p/bundle").json["passes"][0]
    assert after["base"] == before["base"] and after["secret"] != before["secret"]


def test_a_new_card_leaves_the_phone_as_it_is(world: World) -> None:
    number = world.issue().number
    client = opened(world, number)
    before = client.get("/j/7/p/bundle").json
    passes.reissue(world.centre, number, ("card",), "wang", printed=True)
    assert client.get("/j/7/p/bundle").json == before
    offer(world, number)


def test_the_page_to_keep_holds_no_code_and_nobodys_name(world: World) -> None:
    client = opened(world, world.issue(label="王*").number)
    kept = client.get("/j/7/p?bare=1").text
    assert "<svg" not in kept and "王*" not in kept and 'id="card"' in kept


def test_passes_are_taken_off_a_phone(world: World) -> None:
    client = opened(world, world.issue().number)
    assert client.post("/j/7/p/end", data={"csrf_token": token_of(client, "/j/7/p/end")}).status_code == 200
    assert client.get("/j/7/p").status_code == 404
    assert client.get_cookie("pass_7", path="/j/7") is None


def test_guessing_has_an_end_and_stops_nobody_else_at_the_same_address(world: World) -> None:
    number = world.issue().number
    client = world.app.test_client()
    statuses = [client.get(f"/j/7/p/a/wrong{n}").status_code for n in range(20)]
    assert statuses == [404] * 19 + [429] and client.get("/j/7/p/bundle").status_code == 429
    assert client.get(phone_pass.activation_path(7, offer(world, number))).status_code == 200


def test_a_browser_that_asks_for_ever_is_told_to_wait(world: World) -> None:
    client = opened(world, world.issue().number)
    statuses = [client.get("/j/7/p/bundle").status_code for _ in range(201)]
    assert statuses == [200] * 200 + [429]


def test_the_worker_may_answer_for_the_residents_pages_only(world: World) -> None:
    answer = world.client.get("/j/worker.js")
    assert answer.headers["Service-Worker-Allowed"] == "/j/" and "javascript" in answer.headers["Content-Type"]
